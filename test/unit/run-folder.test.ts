import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EnvironmentFailure } from "../../src/node/exit.ts";
import { canonicalJson, openRunFolder, runId } from "../../src/node/run-folder.ts";

let out = "";
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "run-folder-"));
});
afterEach(() => {
  rmSync(out, { recursive: true, force: true });
});

/** Beside the manifest. */
const FILES = ["summary.json"];

async function openNew(id: string) {
  const folder = await openRunFolder(out, "exp", id, FILES);
  if (folder.kind !== "new") throw new Error("expected a new folder");
  return folder;
}

const manifest = (id: string, complete = true): string => JSON.stringify({ runId: id, complete });

describe("run id", () => {
  test("does not depend on the order of keys, and depends on every value", () => {
    const id = runId({ a: 1, b: { c: [1, 2], d: "x" } });
    expect(id).toMatch(/^[0-9a-f]{12}$/);
    expect(runId({ b: { d: "x", c: [1, 2] }, a: 1 })).toBe(id);
    expect(runId({ a: 1, b: { c: [2, 1], d: "x" } })).not.toBe(id);
    expect(runId({ a: 1, b: { c: [1, 2], d: "y" } })).not.toBe(id);
  });

  test("typed arrays count like arrays", () => {
    expect(canonicalJson({ t: Float64Array.of(1.5, 2) })).toBe('{"t":[1.5,2]}');
    expect(runId(Uint32Array.of(1))).not.toBe(runId(Uint32Array.of(2)));
  });
});

describe("run folder", () => {
  test("appears whole at commit, and is complete from then on", async () => {
    const folder = await openNew("abc");
    await folder.writeFile("summary.json", "{}");
    writeFileSync(folder.tempPath("streamed"), "x");
    await folder.writeFile("manifest.json", manifest("abc"));
    expect(existsSync(folder.path)).toBe(false);
    await folder.commit();
    expect(readdirSync(folder.path).sort()).toEqual(["manifest.json", "streamed", "summary.json"]);
    expect(readdirSync(join(out, "exp"))).toEqual(["abc"]);
    expect(await openRunFolder(out, "exp", "abc", FILES)).toEqual({ kind: "complete", path: folder.path });
  });

  test("discard leaves nothing", async () => {
    const folder = await openNew("abc");
    await folder.writeFile("summary.json", "{}");
    await folder.discard();
    await folder.discard();
    expect(readdirSync(out)).toEqual([]);
  });

  test("discard leaves other runs of the experiment", async () => {
    mkdirSync(join(out, "exp", "other"), { recursive: true });
    await (await openNew("abc")).discard();
    expect(readdirSync(join(out, "exp"))).toEqual(["other"]);
  });

  test("what an interrupted run left is replaced", async () => {
    const first = await openNew("abc");
    await first.writeFile("manifest.json", manifest("abc", false));
    await first.writeFile("old", "x");
    await first.commit();
    const second = await openNew("abc");
    expect(second.missing).toEqual([]);
    await second.writeFile("summary.json", "{}");
    await second.writeFile("manifest.json", manifest("abc"));
    await second.commit();
    expect(readdirSync(second.path).sort()).toEqual(["manifest.json", "summary.json"]);
    expect((await openRunFolder(out, "exp", "abc", FILES)).kind).toBe("complete");
  });

  test("files that somebody took away are written again, and the others are left", async () => {
    const first = await openNew("abc");
    await first.writeFile("summary.json", "{}");
    await first.writeFile("manifest.json", manifest("abc"));
    await first.commit();
    rmSync(join(first.path, "summary.json"));
    writeFileSync(join(first.path, "notes.md"), "mine");
    const interrupted = await openNew("abc");
    await interrupted.writeFile("summary.json", "{}");
    await interrupted.writeFile("manifest.json", manifest("abc", false));
    await interrupted.commit();
    expect(readdirSync(first.path).sort()).toEqual(["manifest.json", "notes.md"]);
    const second = await openNew("abc");
    expect(second.missing).toEqual(["summary.json"]);
    await second.writeFile("summary.json", "{}");
    await second.writeFile("manifest.json", manifest("abc"));
    await second.commit();
    expect(readdirSync(second.path).sort()).toEqual(["manifest.json", "notes.md", "summary.json"]);
    expect(readdirSync(join(out, "exp"))).toEqual(["abc"]);
    expect((await openRunFolder(out, "exp", "abc", FILES)).kind).toBe("complete");
  });

  test.each([
    ["files of somebody else", { "holiday.jpg": "x" }],
    ["another run's manifest", { "manifest.json": manifest("zzz") }],
    ["a manifest that is no JSON", { "manifest.json": "{" }],
  ])("a foreign folder is refused and left alone: %s", async (_, files) => {
    const path = join(out, "exp", "abc");
    mkdirSync(path, { recursive: true });
    for (const [name, data] of Object.entries(files)) writeFileSync(join(path, name), data);
    await expect(openRunFolder(out, "exp", "abc", FILES)).rejects.toThrow(EnvironmentFailure);
    for (const [name, data] of Object.entries(files)) expect(readFileSync(join(path, name), "utf8")).toBe(data);
  });

  test("an empty folder at its place is taken", async () => {
    mkdirSync(join(out, "exp", "abc"), { recursive: true });
    const folder = await openNew("abc");
    await folder.writeFile("manifest.json", manifest("abc"));
    await folder.commit();
    expect(readdirSync(folder.path)).toEqual(["manifest.json"]);
  });

  test("a second process that finished first wins; ours is dropped", async () => {
    const folder = await openNew("abc");
    await folder.writeFile("summary.json", "ours");
    await folder.writeFile("manifest.json", manifest("abc"));
    mkdirSync(folder.path);
    writeFileSync(join(folder.path, "manifest.json"), manifest("abc"));
    writeFileSync(join(folder.path, "summary.json"), "theirs");
    await folder.commit();
    expect(readdirSync(folder.path).sort()).toEqual(["manifest.json", "summary.json"]);
    expect(readFileSync(join(folder.path, "summary.json"), "utf8")).toBe("theirs");
    expect(readdirSync(join(out, "exp"))).toEqual(["abc"]);
  });

  test("files that somebody put there meanwhile are not overwritten", async () => {
    const folder = await openNew("abc");
    await folder.writeFile("manifest.json", manifest("abc"));
    mkdirSync(folder.path);
    writeFileSync(join(folder.path, "theirs"), "x");
    await expect(folder.commit()).rejects.toThrow(EnvironmentFailure);
    expect(readdirSync(folder.path)).toEqual(["theirs"]);
  });

  test("a file that cannot be written fails plainly and cleans up", async () => {
    const folder = await openNew("abc");
    await expect(folder.writeFile("no/such/folder", "x")).rejects.toThrow(
      /cannot write .*no such file or folder \(ENOENT\)/,
    );
    expect(readdirSync(join(out, "exp"))).toEqual([]);
  });

  test("an output folder that is a file is the environment's fault", async () => {
    writeFileSync(join(out, "file"), "x");
    await expect(openRunFolder(join(out, "file"), "exp", "abc", FILES)).rejects.toThrow(EnvironmentFailure);
  });

  test.skipIf(process.getuid?.() === 0)("no permission is the environment's fault", async () => {
    chmodSync(out, 0o500);
    await expect(openRunFolder(out, "exp", "abc", FILES)).rejects.toThrow(/permission denied \(EACCES\)/);
  });
});

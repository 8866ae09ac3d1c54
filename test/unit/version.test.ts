import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { codeDigest } from "../../src/node/version.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "code-"));
  await mkdir(join(folder, "deep"));
  await writeFile(join(folder, "a.js"), "one");
  await writeFile(join(folder, "deep", "b.js"), "two");
});
afterAll(() => rm(folder, { recursive: true }));

test("a line of code that changes, moves or comes makes another build", async () => {
  const before = await codeDigest(folder);
  expect(before).toMatch(/^[0-9a-f]{64}$/);
  expect(await codeDigest(folder)).toBe(before);

  await writeFile(join(folder, "a.d.ts"), "types");
  await writeFile(join(folder, "a.js.map"), "a map");
  expect(await codeDigest(folder), "types and maps change no result").toBe(before);

  await writeFile(join(folder, "deep", "b.js"), "too");
  const changed = await codeDigest(folder);
  expect(changed).not.toBe(before);
  await writeFile(join(folder, "c.js"), "");
  expect(await codeDigest(folder)).not.toBe(changed);
});

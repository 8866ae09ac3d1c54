/** Building a catalogue from documents: problems are collected, overrides replace, names are found. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { buildCatalog, find, type CatalogDocument } from "../../src/catalog/catalog.ts";
import { editDistance, hintFor, nearest } from "../../src/catalog/nearest.ts";
import { originOf, rowOriginOf } from "../../src/catalog/origin.ts";
import type { CatalogKind } from "../../src/catalog/schema.ts";
import { ConfigError } from "../../src/kernel/errors.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";

const ORIGIN = { source: "a page", asOf: "2026-11", kind: "published" };

function client(id: string, changes: object = {}): object {
  return {
    id,
    name: id,
    ...ORIGIN,
    maxRetries: 2,
    backoffInitialS: 0.5,
    backoffFactor: 2,
    backoffMaxS: 8,
    jitterFraction: 0.25,
    honorRetryAfter: true,
    maxRetryAfterS: null,
    attemptTimeoutS: 600,
    ...changes,
  };
}

function document(kind: CatalogKind, file: string, value: unknown, override = false): CatalogDocument {
  return { kind, file, value, override };
}

function problemsOf(documents: readonly CatalogDocument[]): ConfigError["problems"] {
  try {
    buildCatalog(documents, "2026-11-24");
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("building", () => {
  const sixFigures = {
    ...ORIGIN,
    id: "my-gpu",
    memoryGB: 48,
    memoryBandwidthGBps: 900,
    bf16DenseTflops: 180,
    fp8DenseTflops: 360,
    linkGBpsPerDirection: 32,
    tdpW: 300,
  };

  test("six figures of its datasheet make a GPU", () => {
    const gpu = buildCatalog([document("gpus", "gpus/a.yaml", sixFigures)], "2026-11-24").gpus.get("my-gpu")!;
    expect(gpu).toMatchObject({ name: "my-gpu", usableMemoryGiB: null, fp4DenseTflops: null });
    for (const figure of Object.keys(sixFigures).filter((key) => /^[mbflt].*(GB|GBps|Tflops|Direction|W)$/.test(key))) {
      const { [figure as "tdpW"]: _, ...five } = sixFigures;
      expect(problemsOf([document("gpus", "gpus/a.yaml", five)])).toMatchObject([
        { path: [figure], message: expect.stringMatching(/^is missing: a number/) },
      ]);
    }
  });

  test.each([
    ["memoryBandwidthGBps", 0.864, /at least 50/],
    ["memoryGB", 48e9, /at most 4000/],
    ["bf16DenseTflops", 3.62e14, /at most 200000/],
    ["tdpW", 0.35, /at least 10/],
    ["fp8DenseTflops", 100, /at least bf16DenseTflops, or null/],
  ])("a GPU whose %s is %d is a slip of its unit", (field, value, message) => {
    const slip = { ...sixFigures, [field]: value };
    expect(problemsOf([document("gpus", "gpus/a.yaml", slip)])[0]).toMatchObject({
      path: [field],
      message: expect.stringMatching(message) as string,
    });
  });

  test("an unknown field of a GPU names the nearest", () => {
    const gpu = { ...sixFigures, fp16DenseTflops: 180 };
    expect(problemsOf([document("gpus", "gpus/a.yaml", gpu)])).toMatchObject([
      { path: ["fp16DenseTflops"], message: "unknown field", hint: "did you mean bf16DenseTflops?" },
    ]);
  });

  test("reports every problem of every file at once", () => {
    const problems = problemsOf([
      document("clients", "clients/a.yaml", client("a", { maxRetries: -1, jitterFraction: 2 })),
      document("clients", "clients/b.yaml", client("b", { maxRetrys: 2 })),
      document("clients", "clients/c.yaml", { ...client("c"), source: undefined }),
      document("clients", "clients/d.yaml", client("d", { fields: { backofMaxS: ORIGIN } })),
      document("clients", "clients/e.yaml", client("e", { asOf: "November" })),
      document("clients", "clients/f.yaml", "text"),
    ]);
    expect(problems.map(({ file, path }) => `${file} ${path.join(".")}`)).toEqual([
      "clients/a.yaml maxRetries",
      "clients/a.yaml jitterFraction",
      "clients/b.yaml maxRetrys",
      "clients/c.yaml source",
      "clients/d.yaml fields.backofMaxS",
      "clients/e.yaml asOf",
      "clients/f.yaml ",
    ]);
    expect(problems[0]!.message).toBe("expected at least 0, got -1");
    expect(problems[2]).toMatchObject({ message: "unknown field", hint: "did you mean maxRetries?", onKey: true });
    expect(problems[4]).toMatchObject({ hint: 'did you mean "backoffMaxS"?' });
  });

  test("an id or alias that names two entries is a problem", () => {
    const problems = problemsOf([
      document("clients", "a.yaml", client("a")),
      document("clients", "again.yaml", client("a")),
      document("clients", "b.yaml", client("b", { aliases: ["A"] })),
    ]);
    expect(problems).toMatchObject([
      { file: "again.yaml", message: '"a" is also in a.yaml' },
      { file: "b.yaml", path: ["aliases", 0], message: '"A" already names a (a.yaml)' },
    ]);
  });

  test("a user's entry replaces the shipped one as a whole and is marked", () => {
    const catalog = buildCatalog(
      [
        document("clients", "mine/a.yaml", client("a", { maxRetries: 9 }), true),
        document("clients", "models/a.yaml", client("a", { aliases: ["first"] })),
        document("clients", "models/b.yaml", client("b")),
        document("clients", "mine/c.yaml", client("c"), true),
      ],
      "2026-11-24",
    );
    expect([...catalog.clients.values()].map(({ id, override, file }) => [id, override, file])).toEqual([
      ["a", true, "mine/a.yaml"],
      ["b", false, "models/b.yaml"],
      ["c", true, "mine/c.yaml"],
    ]);
    expect(catalog.clients.get("a")?.maxRetries).toBe(9);
    expect(find(catalog, "clients", "first").ok).toBe(false);
  });

  test("names of other kinds are checked where that kind was loaded", () => {
    const preset = {
      id: "p",
      ...ORIGIN,
      type: "preset",
      nodeFailure: ["fail"],
      engineCrash: "repair",
      engineRestart: "repare",
      nodeRepair: { private_vpc: "repair", dedicated_managed: "repair", onprem: "repair" },
    };
    const repair = { id: "repair", ...ORIGIN, type: "repair", time: { medianS: 60, sigma: 0.5 } };
    const fail = { id: "fail", ...ORIGIN, type: "node_failure", failuresPerNodeDay: 0.01, gpus: ["h100"] };
    const problems = problemsOf([
      document("incidents", "p.yaml", preset),
      document("incidents", "r.yaml", repair),
      document("incidents", "f.yaml", fail), // no GPUs loaded: not checked
    ]);
    expect(problems).toMatchObject([
      { path: ["engineCrash"], message: '"repair" is of type repair, not engine_crash' },
      { path: ["engineRestart"], message: 'no "repare" in incidents/', hint: 'did you mean "repair"?' },
    ]);
  });

  test("known names are listed once each, or by the command that lists them", () => {
    expect(hintFor("zzzzzz", ["open", "closed", "open"])).toBe("known: open, closed");
    const many = Array.from({ length: 40 }, (_, i) => document("clients", `clients/${i}.yaml`, client(`client-${i}`)));
    const catalog = buildCatalog(many, "2026-11-24");
    expect(find(catalog, "clients", "zzzzzz")).toMatchObject({ hint: "crossover catalog clients lists them" });
  });

  test("a miss names the nearest entry", () => {
    const catalog = buildCatalog(
      [document("clients", "a.yaml", client("openai-node", { aliases: ["node-sdk"] }))],
      "2026-11-24",
    );
    expect(find(catalog, "clients", "opneai-node")).toEqual({
      ok: false,
      message: 'unknown client "opneai-node"',
      hint: 'did you mean "openai-node"?',
    });
    expect(find(catalog, "clients", "NODE-SDK")).toMatchObject({ ok: true, value: { id: "openai-node" } });
  });
});

describe("origins", () => {
  const entry = {
    ...ORIGIN,
    kind: "published" as const,
    fields: { "limits.rpm": { source: "elsewhere", asOf: "2025", kind: "assumed" as const } },
  };

  test("the longest path that is written wins", () => {
    expect(originOf(entry, "limits.rpm.burstS").source).toBe("elsewhere");
    expect(originOf(entry, "limits.rpmx").source).toBe("a page");
    expect(originOf(entry, "").source).toBe("a page");
  });

  test("a row inherits what it leaves out", () => {
    expect(rowOriginOf(entry, "rows.0", { asOf: "2024-02", unverified: true })).toEqual({
      ...ORIGIN,
      asOf: "2024-02",
      unverified: true,
    });
  });
});

describe("nearest name", () => {
  test.each([
    ["h100-sxn", "h100-sxm"],
    ["H100-SXM", "h100-sxm"],
    ["h1000-sxm", "h100-sxm"],
    ["h010-sxm", "h100-sxm"],
    ["a100-80gb", "a100-80gb-sxm"],
    ["l4", "l4"],
    ["completely-other-thing", null],
  ])("%s -> %s", (name, meant) => {
    expect(nearest(name, ["h100-sxm", "a100-80gb-sxm", "l4"])).toBe(meant);
  });

  test("the same words in another order", () => {
    const metrics = ["ttftMsMean", "tpotMsMean", "tpotMsP99"];
    expect(nearest("tpotMeanMs", new Set(metrics).values())).toBe("tpotMsMean");
    expect(nearest("mean-tpot-ms", metrics)).toBe("tpotMsMean");
    expect(nearest("tpotMedianMs", metrics)).toBeNull();
  });

  test("a swap of neighbours is one edit", () => {
    expect(editDistance("ab", "ba")).toBe(1);
    expect(editDistance("kitten", "sitting")).toBe(3);
    expect(editDistance("", "abc")).toBe(3);
  });

  test("the distance is symmetric, zero for equals alone, and at most the longer length", () => {
    const word = fc.string({ maxLength: 12, unit: fc.constantFrom("a", "b", "-") });
    fc.assert(
      fc.property(word, word, (a, b) => {
        const d = editDistance(a, b);
        return (
          d === editDistance(b, a) &&
          (d === 0) === (a === b) &&
          d <= Math.max(a.length, b.length) &&
          d >= Math.abs(a.length - b.length)
        );
      }),
    );
  });
});

describe("files", () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), "catalog-"))));
  afterEach(() => rmSync(directory, { recursive: true }));

  function write(name: string, text: string): void {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }

  const MINE =
    'id: openai-node\nname: mine\nsource: our own SDK\nasOf: "2026-11"\nkind: measured\nmaxRetries: 5\nbackoffInitialS: 1\nbackoffFactor: 2\nbackoffMaxS: 30\njitterFraction: 0\nhonorRetryAfter: false\nmaxRetryAfterS: null\nattemptTimeoutS: 60\n';

  async function textOf(kinds: readonly CatalogKind[]): Promise<string> {
    try {
      await loadCatalog(kinds, directory);
    } catch (error) {
      if (error instanceof ConfigError && "text" in error) return String(error.text);
      throw error;
    }
    return "";
  }

  test("a directory of one's own overrides by kind and id, and is hashed apart", async () => {
    write("clients/mine.yaml", MINE);
    write("notes/README.md", "not an entry");
    const { catalog, hashes } = await loadCatalog(["clients"], directory);
    expect(catalog.clients.get("openai-node")).toMatchObject({ maxRetries: 5, override: true });
    expect(catalog.clients.get("openai-python")).toMatchObject({ override: false });
    expect(catalog.asOf).toBe("2026-11-24");
    expect(Object.keys(hashes)).toContain("override:clients/mine.yaml");
    expect(Object.keys(hashes)).toContain("clients/openai-node.yaml");
  });

  test("only the kinds asked for are read, and those they rest on", async () => {
    const { catalog } = await loadCatalog(["offers"]);
    expect([catalog.gpus.size, catalog.llms.size]).toEqual([0, 0]);
    expect([catalog.providers.size, catalog.latencyClasses.size, catalog.outageProfiles.size]).toEqual([20, 5, 4]);
  });

  test("problems of all files come with file, line and caret", async () => {
    write("clients/one.yaml", MINE.replace("maxRetries: 5", "maxRetries: many"));
    write("clients/two.yaml", "id: [broken\n");
    write("client/three.yaml", MINE);
    write("loose.yaml", MINE);
    const text = await textOf(["clients"]);
    expect(text).toContain(`${join(directory, "clients/one.yaml")}:6:13: maxRetries: expected a number, got "many"`);
    expect(text).toContain("maxRetries: many");
    expect(text).toContain(join(directory, "clients/two.yaml"));
    expect(text).toContain(`${join(directory, "client")}: no kind of the catalogue has this folder`);
    expect(text).toContain('did you mean "clients"?');
    expect(text).toContain("loose.yaml");
  });

  test("a directory that is not there is a problem, not an empty catalogue", async () => {
    directory = join(directory, "missing");
    expect(await textOf(["clients"])).toContain("no such folder");
    directory = dirname(directory);
  });
});

/** Where `crossover validate --cases` finds cases: folders in folders, forms of files, ids that stand twice. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { ValidationResult } from "../../src/experiment/validate/validate.ts";
import { readCases } from "../../src/node/case-files.ts";
import { type ValidateOptions, validateCommand } from "../../src/node/commands/validate.ts";
import { RECORDED } from "../fixtures/recorded-case.ts";

const BASE = { ...RECORDED, measured: { gpuPowerW: 300, tpotMsMean: 10 } };

describe("files of cases", () => {
  const folder = mkdtempSync(join(tmpdir(), "crossover-case-files-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  /** What the command prints as JSON. */
  async function validated(options: Omit<ValidateOptions, "html" | "json">): Promise<string> {
    let text = "";
    const html = join(folder, "page.html");
    await validateCommand({ ...options, json: true, html }, (chunk) => (text += chunk));
    return text;
  }

  test("of an id that stands twice the first counts, later ones are refused with both files, the rest runs", async () => {
    const twice = join(folder, "twice");
    mkdirSync(twice);
    const mine = (id: string) => ({ ...BASE, id, load: { ...BASE.load, requests: 5 } });
    writeFileSync(join(twice, "a.json"), JSON.stringify([mine("x"), mine("x"), { id: "y", load: {}, measured: {} }]));
    writeFileSync(join(twice, "b.json"), JSON.stringify([mine("x"), mine("y")]));
    const { cases } = JSON.parse(await validated({ cases: twice, threads: 1 })) as ValidationResult;
    expect(cases.map(({ id, refused }) => [id, refused])).toEqual([
      ["x", null],
      ["x", "the id stands twice in a.json: the first one counts, ids are unique over all files of a folder"],
      ["y", expect.stringMatching(/^not a case: role/)],
      [
        "x",
        "the id of b.json stands in a.json already: the first one counts, ids are unique over all files of a folder",
      ],
      ["y", null],
    ]);
  });

  test("folders in the folder, a case a line, an object around the cases and a byte order mark are read", async () => {
    const deep = join(folder, "deep");
    const mine = (id: string, load: object = {}) => ({ ...BASE, id, load: { ...BASE.load, requests: 5, ...load } });
    const trace = { kind: "trace", requestsFile: "t.csv" };
    const files: Readonly<Record<string, string>> = {
      "b.json": `\uFEFF${JSON.stringify([mine("bom")])}`,
      "sub/object.json": JSON.stringify({ source: "mine", cases: [mine("object"), mine("trace", trace)] }),
      "sub/t.csv": "arrivalS,inputTokens,outputTokens\n0,10,5\n",
      "sub/deeper/one.json": JSON.stringify(mine("one", { ...trace, requestsFile: "../t.csv" })),
      "sub/deeper/out.json": JSON.stringify([mine("out", { ...trace, requestsFile: "../../../t.csv" })]),
      "sub/settings.json": '{"a": 1}',
      "a.jsonl": `${JSON.stringify(mine("line"))}\r\n\n{broken\n17\n`,
      "z.ndjson": `\uFEFF${JSON.stringify(mine("last"))}\n`,
      "other.jsonl": '{"a": 1}\n',
      ".git/hidden.json": JSON.stringify([mine("hidden")]),
      "node_modules/p/package.json": JSON.stringify([mine("package")]),
    };
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(deep, path, ".."), { recursive: true });
      writeFileSync(join(deep, path), text);
    }
    symlinkSync("..", join(deep, "sub/round"));
    const { cases, skipped } = await readCases(deep);
    expect(cases.map((one) => (one.ok ? one.case.id : `${one.id}: ${one.reason.slice(0, 36)}`))).toEqual([
      "line",
      "a.jsonl line 3: not a case: the line is no JSON: Exp",
      "a.jsonl line 4: not a case: expected a group of fiel",
      "bom",
      "one",
      "out",
      "object",
      "trace",
      "last",
    ]);
    expect(skipped).toEqual(["other.jsonl", "sub/settings.json"]);
    const { cases: results } = JSON.parse(await validated({ cases: deep, threads: 1 })) as ValidationResult;
    const refused = results.flatMap((one) => (one.refused === null ? [] : [one.id]));
    expect(refused).toEqual(["a.jsonl line 3", "a.jsonl line 4", "out"]);
    expect((await readCases(join(deep, "sub"))).cases.map((one) => one.ok && one.case.load.requestsFile)).toEqual([
      "t.csv",
      "../../t.csv",
      undefined,
      "t.csv",
    ]);
  });
});

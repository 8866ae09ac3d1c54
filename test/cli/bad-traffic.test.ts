/** Traffic that cannot be: each gets its exit code, and says in which file, row or line, and what was expected. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { smallExperiment, withValue } from "../fixtures/experiment.ts";
import { crossover, temporaryFolder } from "./crossover.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());
const at = (name: string): string => join(folder.path, name);

const VIDUR = "arrived_at,num_prefill_tokens,num_decode_tokens\n";
const MOONCAKE = '{"timestamp": 0, "input_length": 600, "output_length": 1, "hash_ids": [1, 2]}\n';
const BAILIAN =
  '{"chat_id": 1, "parent_chat_id": -1, "timestamp": 9, "input_length": 6, "output_length": 8, "type": "text", "turn": 1}\n';

test.each([
  [
    "unsorted times",
    { "unsorted.csv": `${VIDUR}0,5,1\n9,5,1\n4,5,1\n` },
    "unsorted.csv: row 3: time runs backwards: 4 s after 9 s (counted from the first arrival)",
  ],
  [
    "a window given twice",
    { "chunk-1-trace.csv": "600,0.2,1,Gamma,1,5\n600,0.2,1,Gamma,1,5\n" },
    "chunk-1-trace.csv: row 2: starts at 600 s, not after the window before: unsorted or given twice",
  ],
  [
    "two formats in one import",
    { "a.csv": `${VIDUR}0,5,1\n`, "b.jsonl": MOONCAKE },
    "b.jsonl: format mooncake, but FOLDER/a.csv has vidur; import them apart",
  ],
  [
    "two formats in one file",
    { "mixed.jsonl": MOONCAKE + BAILIAN },
    "mixed.jsonl: row 2: a record of format bailian among those of mooncake; import them apart",
  ],
  [
    "a count that overflows",
    { "over.csv": `${VIDUR}0,5,1\n1,99999999999,1\n` },
    "over.csv: row 2: the input token count 99999999999 is above 4294967295",
  ],
  ["a negative count", { "minus.csv": `${VIDUR}0,5,-1\n` }, "minus.csv: row 1: negative output token count -1"],
  [
    "a missing column",
    { "missing.csv": "TIMESTAMP,ContextTokens\n2023-11-16 18:15:46.6805900,396\n" },
    "missing.csv: no column GeneratedTokens (format azure-llm)",
  ],
  [
    "a missing field",
    { "short.csv": `${VIDUR}0,5,1\n4,5\n` },
    "short.csv: row 2: 2 fields where the header has 3; the file may be truncated",
  ],
] as [string, Record<string, string>, string][])("%s is data that cannot be imported", (_, files, message) => {
  for (const [name, text] of Object.entries(files)) writeFileSync(at(name), text);
  const target = ["--out", at("x.parquet")];
  const { code, stdout, stderr } = crossover(["trace", "import", ...Object.keys(files).map(at), ...target]);
  expect([code, stdout]).toEqual([3, ""]);
  expect(stderr).toBe(`data: ${folder.path}/${message.replace("FOLDER", folder.path)}\n`);
});

test("equal times are kept and counted, and --sort puts the rest in order", () => {
  writeFileSync(at("times.csv"), `${VIDUR}0,5,1\n9,6,1\n4,7,1\n4,8,1\n`);
  const { code, stdout } = crossover([
    "trace",
    "import",
    at("times.csv"),
    "--sort",
    "--out",
    at("t.parquet"),
    "--json",
  ]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ about: { rows: 4, inversions: 2, sameTime: 1, dropped: {} } });
});

test("a time zone that does not exist is a problem of the experiment's line, with the nearest one", () => {
  const raw = withValue(smallExperiment(), ["traffic"], { preset: "rag", timeZone: "Europe/Berlyn" });
  writeFileSync(at("zone.yaml"), stringify(raw));
  const { code, stderr } = crossover(["check", at("zone.yaml")]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/zone\.yaml:\d+:\d+: traffic\.timeZone: no time zone "Europe\/Berlyn"/);
  expect(stderr).toContain('did you mean "Europe/Berlin"?');
});

test.each([
  ["a season that sums to zero", { hourOfWeek: Array(168).fill(0) }, "hourOfWeek: the season sums to zero"],
  ["a season of another length", { hourOfWeek: [1, 1] }, "hourOfWeek: "],
  ["a season of no zone", { hourOfWeek: Array(168).fill(1), timeZone: "Mars/Olympus" }, "timeZone: no such time zone"],
])("%s is a problem of the catalogue's file", (_, fields, message) => {
  mkdirSync(at("models/seasons"), { recursive: true });
  const season = { id: "mine", name: "Mine", source: "own logs", asOf: "2026-11-01", kind: "measured", ...fields };
  writeFileSync(at("models/seasons/mine.yaml"), stringify(season));
  const raw = withValue(smallExperiment(), ["traffic"], { preset: "rag", season: "mine" });
  writeFileSync(at("season.yaml"), stringify(raw));
  const { code, stderr } = crossover(["check", at("season.yaml"), "--models", at("models")]);
  expect(code).toBe(2);
  expect(stderr).toContain(`mine.yaml`);
  expect(stderr).toContain(message);
});

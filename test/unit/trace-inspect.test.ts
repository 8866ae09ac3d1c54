/** Figures of a small trace that can be checked by hand, from CSV as from Parquet, and their page. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { inspectTrace } from "../../src/experiment/trace/inspect.ts";
import { prefixReuse } from "../../src/experiment/trace/reuse.ts";
import { readRecordedTrace } from "../../src/io/trace-details.ts";
import { inspectText } from "../../src/node/trace-text.ts";
import { tracePage } from "../../src/report/trace/page.ts";
import { outlineFaults } from "../fixtures/report/outline.ts";

const folder = mkdtempSync(join(tmpdir(), "crossover-inspect-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ROWS = [
  "arrivalS,inputTokens,outputTokens,model,tenant,client,sessionId,status,cachedTokens,hashIds",
  "0,100,10,a,acme,c1,s1,ok,0,1 2 3",
  "10,200,20,a,acme,c2,s1,ok,100,1 2 4",
  "30,50,0,b,,c1,s2,error,,9",
  "70,400,40,a,other,c1,s1,ok,150,1 5 3",
].join("\n");

async function facts(name: string, content: string | Uint8Array) {
  const file = join(folder, name);
  writeFileSync(file, content);
  return inspectTrace(await readRecordedTrace(file));
}

test.each([
  ["plain", ROWS],
  ["gzipped, CRLF, byte order mark", gzipSync(`\ufeff${ROWS.replaceAll("\n", "\r\n")}\r\n`)],
])("%s CSV: skew, sessions, reuse, cache, failures", async (name, content) => {
  const found = await facts(`${name.slice(0, 5)}.csv`, content);
  expect([found.requests, found.spanS, found.failed]).toEqual([4, 70, 1]);
  expect(found.rate.meanPerS).toBeCloseTo(3 / 70, 12);
  expect(found.models!.top.map((one) => [one.name, one.requestShare])).toEqual([
    ["a", 0.75],
    ["b", 0.25],
  ]);
  expect(found.models!.top[0]!.tokenShare).toBeCloseTo(770 / 820, 12);
  expect(found.models!.effective).toBeCloseTo(1 / (0.5625 + 0.0625), 12);
  expect([found.tenants!.distinct, found.tenants!.rowsWithout]).toEqual([2, 1]);
  expect(found.clients!.distinct).toBe(2);
  expect([found.sessions!.sessions, found.sessions!.turns.max, found.sessions!.singleTurnShare]).toEqual([2, 3, 0.5]);
  expect([found.sessions!.gapS!.mean, found.sessions!.grownShare]).toEqual([35, 1]);
  expect(found.cachedShare).toBeCloseTo(250 / 700, 12);
  // Hits: 1 and 2 of the second, 1 of the last; its 3 comes after a miss.
  expect(found.reuse).toMatchObject({ blocks: 10, distinct: 6, hitShare: 0.3 });
  expect(found.reuse!.neverReusedShare).toBeCloseTo(3 / 6, 12);
  expect(found.missing.join(" ")).not.toMatch(/model|tenant|session|prefix|status/);
});

test("quoted fields with commas stay in their column", async () => {
  const quoted = ROWS.replace("sessionId", '"sessionId"').replaceAll(",s1,", ',"s, 1",');
  const found = await facts("quoted.csv", quoted);
  expect(found.sessions!.sessions).toBe(2);
  expect(found.cachedShare).toBeCloseTo(250 / 700, 12);
});

test("what is not there is named, and nothing is made up", async () => {
  const found = await facts("bare.csv", "arrivalS,inputTokens,outputTokens\n0,1,1\n1,2,0\n3,3,3\n");
  expect([found.models, found.tenants, found.sessions, found.reuse, found.season, found.failed]).toEqual(
    Array(6).fill(null),
  );
  for (const word of [
    "dates",
    "models",
    "tenants",
    "sessions",
    "prefix",
    "cached",
    "failures",
    "max_tokens",
    "dispersion at",
  ])
    expect(found.missing.join("\n")).toContain(word);
  expect(found.lengths.zeroOutput).toBe(1);
  expect(inspectText(found)).toContain("not in this file:");
});

test("cached tokens that are no number are refused with their row", async () => {
  const broken = ROWS.replace("ok,100,", "ok,many,");
  await expect(facts("broken.csv", broken)).rejects.toThrow(/row 2: cannot read the cached tokens "many"/);
});

test("a block twice in one prompt is no reuse", () => {
  const one = { starts: Float64Array.of(0, 2), ids: Uint32Array.of(0, 0), distinct: 1 };
  expect(prefixReuse(one)).toMatchObject({ hitShare: 0, neverReusedShare: 1 });
});

test("the page is one file without scripts, its text is escaped", async () => {
  const page = tracePage(await facts("page.csv", ROWS), "<odd>.csv", "0");
  expect(page).toContain("&lt;odd&gt;.csv");
  expect(outlineFaults(page)).toEqual([]);
  expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)|NaN|undefined/);
  for (const id of ["rate", "bursts", "lengths", "who", "sessions", "reuse", "missing"])
    expect(page).toContain(`id="${id}"`);
});

test("a trace without times has lengths and says that it has no rate", async () => {
  const found = await facts("still.csv", "arrivalS,inputTokens,outputTokens\n0,10,1\n0,20,2\n0,30,3\n");
  expect(inspectText(found)).toContain("no times: all requests stand at one moment");
  expect(tracePage(found, "still.csv", "0")).toContain("<h2>No times</h2>");
  expect(found.lengths.input.mean).toBe(20);
});

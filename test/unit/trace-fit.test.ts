/** A fit finds the parameters that a trace was generated with, says what it cannot know, and judges the held-out half. */
import { expect, test } from "vitest";
import { buildCatalog } from "../../src/catalog/catalog.ts";
import { fitTrace } from "../../src/experiment/trace/fit.ts";
import { presetEntries } from "../../src/experiment/trace/preset.ts";
import type { RecordedTrace } from "../../src/scenario/recorded-trace.ts";
import type { SyntheticTraffic } from "../../src/scenario/resolved.ts";
import { readRecordedTrace } from "../../src/io/trace-details.ts";
import { syntheticTraffic } from "../../src/traffic/synthetic.ts";
import { AZURE_CONV_WEEK, CHAT, CHAT_ARRIVALS, MONDAY_S, OPTIONS } from "../fixtures/traffic-reference.ts";

function generated(spec: SyntheticTraffic, horizonS: number, epochS: number | null = null): RecordedTrace {
  const rows: [number, number, number][] = [];
  const options = { ...OPTIONS, horizonS, startEpochS: epochS ?? MONDAY_S };
  for (const cursor = syntheticTraffic(spec, options); cursor.timeS < Infinity; cursor.advance())
    rows.push([cursor.timeS, cursor.inputTokens, cursor.outputTokens]);
  return {
    arrivalS: Float64Array.from(rows, ([timeS]) => timeS - rows[0]![0]),
    inputTokens: Uint32Array.from(rows, ([, input]) => input),
    outputTokens: Uint32Array.from(rows, ([, , output]) => output),
    format: "test",
    epochS: epochS === null ? null : epochS + rows[0]![0],
    columns: [],
    dropped: {},
    models: null,
    tenants: null,
    clients: null,
    statuses: null,
    sessions: null,
    cachedTokens: null,
    blocks: null,
  };
}

test.each([
  { cv: 0.3, tauS: 60, gapCv: 1, hours: 2 },
  { cv: 0.5, tauS: 30, gapCv: 1.2, hours: 4 },
])("cv $cv, tau $tauS s, gaps $gapCv over $hours h come back within their bands", ({ cv, tauS, gapCv, hours }) => {
  const spec = { ...CHAT_ARRIVALS, burst: { components: [{ cv, tauS }], gapCv } };
  const { bursts, heldOut } = fitTrace(generated(spec, hours * 3600), 40);
  const { fit, intervals, check, renewal } = bursts!;
  expect(fit.component).not.toBeNull();
  for (const [interval, truth] of [
    [intervals.cv!, cv],
    [intervals.tauS!, tauS],
    [intervals.gapCv, gapCv],
  ] as const) {
    expect(interval.low).toBeLessThan(truth);
    expect(interval.high).toBeGreaterThan(truth);
    expect(interval.high / interval.low).toBeLessThan(8);
  }
  expect(check.probability).toBeGreaterThan(0.05);
  expect(renewal.check.probability).toBe(0);
  expect(heldOut!.check.probability).toBeGreaterThan(0.05);
});

test("Poisson arrivals need no fluctuation", () => {
  const { bursts } = fitTrace(generated({ ...CHAT_ARRIVALS, burst: { components: [], gapCv: 1 } }, 3600), 40);
  expect(bursts!.fit.component).toBeNull();
  expect(bursts!.fit.gapCv).toBeCloseTo(1, 1);
});

test("a second half of another kind falls out of the band", () => {
  const calm = generated({ ...CHAT_ARRIVALS, burst: { components: [{ cv: 0.1, tauS: 30 }], gapCv: 1 } }, 3600);
  const wild = generated({ ...CHAT_ARRIVALS, burst: { components: [{ cv: 0.8, tauS: 30 }], gapCv: 1 } }, 3600);
  const joined = {
    ...calm,
    arrivalS: Float64Array.from([...calm.arrivalS, ...wild.arrivalS.map((timeS) => timeS + 3600)]),
    inputTokens: Uint32Array.from([...calm.inputTokens, ...wild.inputTokens]),
    outputTokens: Uint32Array.from([...calm.outputTokens, ...wild.outputTokens]),
  };
  expect(fitTrace(joined, 40).heldOut!.check.probability).toBeLessThan(0.05);
});

test("two weeks with dates give the weekly profile, the same without dates a flat preset that says so", () => {
  const spec = { ...CHAT, growthFractionPerMonth: 0, meanRatePerS: 0.1, burst: { components: [], gapCv: 1 } };
  const dated = generated(spec, 16 * 86_400, MONDAY_S);
  const fit = fitTrace(dated, 3);
  expect(fit.season!.kind).toBe("week");
  expect(fit.meanRatePerS).toBeCloseTo(0.1, 2);
  // At least 360 requests in two of an hour of the week: 5 % of luck; and the generator is linear between hours.
  fit.season!.hourOfWeek.forEach((factor, hour) => {
    expect(Math.abs(factor / AZURE_CONV_WEEK[hour]! - 1)).toBeLessThan(0.25);
  });
  const flat = fitTrace({ ...dated, epochS: null }, 3);
  expect(flat.season).toBeNull();
  expect(flat.unknown.join(" ")).toContain("no dates");
});

test("the preset of the shipped recording passes the catalogue and carries its bands and limits", async () => {
  const trace = await readRecordedTrace("models/traffic/azure-llm-2023-conv.parquet");
  const fit = fitTrace(trace, 20);
  const { traffic, season } = presetEntries(fit, { id: "mine", file: "azure.parquet", asOf: "2023-11-16" });
  expect(season).toBeNull();
  const [entry] = [
    ...buildCatalog([{ kind: "traffic", file: "mine", value: traffic, override: true }], "2026-11-01").traffic.values(),
  ];
  expect(entry!.burst.components[0]!.cv).toBeGreaterThan(0.15);
  expect(entry!.burst.components[0]!.cv).toBeLessThan(0.35);
  expect(entry!.spearman).toBe(0.073);
  expect(entry!.input).toMatchObject({ kind: "quantiles", meanTokens: 1154.697 });
  expect(entry!.fields!["burst"]!.kind).toBe("fitted");
  expect(entry!.fields!["maxOutput"]!.kind).toBe("assumed");
  for (const said of ["95 %: ", "second lies in the band", "no season was fitted", "max_tokens"])
    expect(entry!.note).toContain(said);
});

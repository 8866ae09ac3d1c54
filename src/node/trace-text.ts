/** A trace's figures and a fit's, as text for a terminal. */
import type { BandCheck } from "../experiment/trace/sampling.ts";
import type { TraceFacts } from "../experiment/trace/inspect.ts";
import type { TraceFit } from "../experiment/trace/fit.ts";
import type { Quantiles } from "../experiment/trace/lengths.ts";
import { burstLines, spanText } from "../experiment/trace/preset.ts";
import type { Skew } from "../experiment/trace/reuse.ts";
import { count, durationMs, percent, plainNumber, significant } from "../report/format.ts";
import { textTable } from "./text-table.ts";

const seconds = (value: number): string => durationMs(value * 1000);
const right = (head: string) => ({ head, align: "right" }) as const;

export function inspectText(facts: TraceFacts): string {
  const { rate, gaps, lengths, season, sessions, reuse } = facts;
  const dates = facts.from === null ? "" : `, ${facts.from} to ${facts.to}`;
  const lines = [
    `${plainNumber(facts.requests)} requests over ${spanText(facts.spanS)}${dates} (${facts.format})`,
    facts.spanS === 0
      ? "no times: all requests stand at one moment"
      : `rate: ${significant(rate.meanPerS)}/s on average${rate.peakToMean60S === null ? "" : `; busiest minute ${rate.peakToMean60S.toFixed(2)} times that`}`,
    ...(gaps === null
      ? []
      : [
          `gaps: median ${seconds(gaps.seconds.p50)}, P99 ${seconds(gaps.seconds.p99)}, CV ${gaps.cv.toFixed(2)}; ${percent(gaps.zeroShare)} zero; ${gaps.silences} longer than 20 mean gaps`,
        ]),
    ...(facts.clockStepS === null
      ? []
      : [
          `the clock steps by ${seconds(facts.clockStepS)}: arrivals were spread over the step before dispersion was taken`,
        ]),
    ...(facts.failed === null ? [] : [`${plainNumber(facts.failed)} requests failed; they are load all the same`]),
    ...Object.entries(facts.dropped).map(
      ([why, rows]) => `${plainNumber(rows)} rows were left out by the import: ${why}`,
    ),
    "",
    textTable(
      [{ head: "index of dispersion in windows of" }, ...facts.dispersion.map(({ windowS }) => right(`${windowS} s`))],
      [["", ...facts.dispersion.map(({ index }) => (index === null ? "-" : index.toFixed(2)))]],
    ).trimEnd(),
    "1 at every length is a Poisson process; growth with the window is a rate that moves",
    "",
    lengthsTable(lengths.input, lengths.output).trimEnd(),
    `rank correlation of input and output ${lengths.spearman.toFixed(3)}; ${plainNumber(lengths.zeroInput)} requests without input, ${plainNumber(lengths.zeroOutput)} without output`,
    ...(facts.cachedShare === null ? [] : [`${percent(facts.cachedShare)} of input tokens came from a cache`]),
    ...(season === null
      ? []
      : [
          `season: by hour of the ${season.kind}, from ${significant(Math.min(...season.hourOfWeek))} to ${significant(Math.max(...season.hourOfWeek))} times the mean`,
        ]),
    ...skewLines("models", facts.models),
    ...skewLines("tenants", facts.tenants),
    ...skewLines("clients", facts.clients),
    ...(sessions === null
      ? []
      : [
          `sessions: ${plainNumber(sessions.sessions)}, ${sessions.turns.mean.toFixed(2)} turns on average (P95 ${significant(sessions.turns.p95)}, most ${count(sessions.turns.max)}), ${percent(sessions.singleTurnShare)} of one turn`,
          ...(sessions.gapS === null
            ? []
            : [
                `  from turn to turn: median ${seconds(sessions.gapS.p50)}, P95 ${seconds(sessions.gapS.p95)}; ${percent(sessions.grownShare ?? 0)} of later turns hold the turn before`,
              ]),
        ]),
    ...(reuse === null
      ? []
      : [
          `prefix reuse: a cache that never forgets hits ${percent(reuse.hitShare)} of ${count(reuse.blocks)} blocks; ${percent(reuse.neverReusedShare)} of ${count(reuse.distinct)} distinct ones are never used again`,
        ]),
    ...(facts.missing.length === 0 ? [] : ["", "not in this file:", ...facts.missing.map((line) => `  ${line}`)]),
  ];
  return `${lines.join("\n")}\n`;
}

function lengthsTable(input: Quantiles, output: Quantiles): string {
  const row = (name: string, { mean, p5, p50, p95, p99, max }: Quantiles): string[] => [
    name,
    ...[mean, p5, p50, p95, p99, max].map((value) => plainNumber(value, 1)),
  ];
  return textTable(
    [{ head: "tokens" }, ...["mean", "P5", "P50", "P95", "P99", "most"].map(right)],
    [row("input", input), row("output", output)],
  );
}

function skewLines(what: string, skew: Skew | null): string[] {
  if (skew === null) return [];
  const [first] = skew.top;
  return [
    `${what}: ${plainNumber(skew.distinct)}, as uneven as ${significant(skew.effective)} equal ones; ${first!.name} has ${percent(first!.requestShare)} of requests and ${percent(first!.tokenShare)} of tokens${skew.distinct > 10 ? `, the first ten ${percent(skew.top10Share)} of requests` : ""}`,
  ];
}

/** `files`: what was written. */
export function fitText(fit: TraceFit, files: readonly string[]): string {
  const { bursts, heldOut } = fit;
  const lines = [
    ...files.map((file) => `wrote ${file}`),
    `${plainNumber(fit.rows)} requests over ${spanText(fit.spanS)}, ${significant(fit.meanRatePerS)}/s on average`,
    ...burstLines(fit),
    ...(bursts === null ? [] : ["", bandTable("index of dispersion, whole trace", bursts.check).trimEnd()]),
    ...(heldOut === null
      ? []
      : ["", bandTable("second half, fitted on the first", heldOut.check).trimEnd(), verdict(heldOut.check)]),
    "",
    "what the trace does not say:",
    ...fit.unknown.map((line) => `  ${line}`),
  ];
  return `${lines.join("\n")}\n`;
}

function bandTable(head: string, { points }: BandCheck): string {
  return textTable(
    [{ head }, right("trace"), right("fit"), right("95 % band"), { head: "" }, right("of the whole curve")],
    points.map(({ windowS, measured, middle, low, high, inside, curveLow, curveHigh }) => [
      `${windowS} s`,
      measured.toFixed(2),
      middle.toFixed(2),
      `${low.toFixed(2)} to ${high.toFixed(2)}`,
      inside ? "inside" : "outside",
      `${curveLow.toFixed(2)} to ${curveHigh.toFixed(2)}`,
    ]),
  );
}

function verdict({ probability }: BandCheck): string {
  return probability >= 0.05
    ? `held out: the second half is of the kind that the fit makes (probability ${probability.toFixed(2)}, all windows together)`
    : `held out: the second half is NOT of the kind that the fit makes (probability ${probability.toFixed(2)}, all windows together)`;
}

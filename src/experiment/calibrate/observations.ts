/**
 * What is compared: latencies of single requests where the simulated requests are the recorded ones, else means and
 * medians of whole runs. A fixed part is held out to judge the fit: whole runs when there are three or more, else blocks of time.
 */
import { log } from "../../kernel/math.ts";
import { quantile } from "../validate/metrics.ts";
import { mean } from "simple-statistics";
import type { BenchmarkRun, RunRequests } from "./benchmark-run.ts";
import type { RunLoad } from "./load.ts";
import type { Constants } from "./parameters.ts";
import { type RunTimes, simulateRun } from "./simulate-run.ts";
import type { Target } from "./target.ts";

/** Families of residuals; E2E follows from the other two and is reported, not fitted. */
export const FAMILIES = ["ttft", "tpot", "e2e"] as const;
export type Family = (typeof FAMILIES)[number];
const FITTED_FAMILIES = 2;

export interface Observations {
  /** Logarithms of ms. */
  readonly observed: Float64Array;
  /** Index into FAMILIES. */
  readonly family: Uint8Array;
  /** Observations of one block are neighbours in time. */
  readonly block: Int32Array;
  readonly heldOut: Uint8Array;
  readonly run: Int32Array;
  /** Of the fitted families and not held out. */
  readonly use: readonly number[];
  /** Of the fitted families, all of them. */
  readonly all: readonly number[];
  readonly heldOutWhat: string | null;
  /** No latency of a single request is among them. */
  readonly summariesOnly: boolean;
  readonly predict: (constants: Constants) => Float64Array;
}

/** Blocks of a run; of one or two runs every third is held out. Enough to see how far neighbours go together. */
const BLOCKS = 24;
const SMALLEST_BLOCK = 4;
const EVERY = 3;

const SUMMARY_METRICS: readonly (readonly [string, Family])[] = [
  ["ttftMsMean", "ttft"],
  ["ttftMsP50", "ttft"],
  ["tpotMsMean", "tpot"],
  ["tpotMsP50", "tpot"],
  ["itlMsMean", "tpot"],
  ["e2eMsMean", "e2e"],
  ["e2eMsP50", "e2e"],
];

interface Builder {
  readonly observed: number[];
  readonly family: number[];
  readonly block: number[];
  readonly heldOut: number[];
  readonly run: number[];
}

export function observationsOf(runs: readonly BenchmarkRun[], loads: readonly RunLoad[], target: Target): Observations {
  const built: Builder = { observed: [], family: [], block: [], heldOut: [], run: [] };
  const readers: ((constants: Constants, out: Float64Array, from: number) => number)[] = [];
  let nextBlock = 0;
  const bySingle = runs.map((run, i) => loads[i]!.requestByRequest && run.requests !== null);
  const wholeRuns = runs.length >= EVERY || (runs.length > 1 && bySingle.includes(false));
  runs.forEach((run, index) => {
    const load = loads[index]!;
    const wholeRunHeldOut = wholeRuns ? index % EVERY === 1 : null;
    if (bySingle[index] === true && run.requests !== null) {
      const cells = requestCells(run.requests);
      const size = Math.max(SMALLEST_BLOCK, Math.ceil(run.requests.counted.length / BLOCKS));
      for (const { family, request, ms } of cells) {
        const block = Math.floor(request / size);
        const heldOut = wholeRunHeldOut ?? block % EVERY === EVERY - 1;
        push(built, family, log(ms), nextBlock + block, heldOut, index);
      }
      nextBlock += Math.ceil(run.requests.counted.length / size);
      readers.push((constants, out, from) =>
        readCells(cells, latenciesOf(load, simulateRun(load, target, constants), constants), out, from),
      );
    } else {
      const measured = run.requests === null ? run.summary : summaryOfRequests(run.requests);
      const metrics = SUMMARY_METRICS.filter(([name]) => (measured[name] ?? 0) > 0);
      for (const [name, family] of metrics)
        push(built, FAMILIES.indexOf(family), log(measured[name]!), nextBlock++, wholeRunHeldOut ?? false, index);
      const counted = run.requests?.counted ?? new Uint8Array(load.arrivals.arrivalS.length).fill(1);
      readers.push((constants, out, from) => {
        const latencies = latenciesOf(load, simulateRun(load, target, constants), constants);
        const predicted = summaryOfRequests({ ...latencies, counted, outputTokens: load.arrivals.outputTokens });
        metrics.forEach(([name], i) => (out[from + i] = log(predicted[name] ?? NaN)));
        return from + metrics.length;
      });
    }
  });
  const heldOut = Uint8Array.from(built.heldOut);
  const fitted = built.family.flatMap((family, i) => (family < FITTED_FAMILIES ? [i] : []));
  return {
    observed: Float64Array.from(built.observed),
    family: Uint8Array.from(built.family),
    block: Int32Array.from(built.block),
    heldOut,
    run: Int32Array.from(built.run),
    use: fitted.filter((i) => heldOut[i] === 0),
    all: fitted,
    heldOutWhat: !heldOut.includes(1)
      ? null
      : !wholeRuns
        ? `every third block of time${runs.length > 1 ? " of each run" : ""} (of ${BLOCKS} blocks)`
        : `whole runs: ${runs.flatMap(({ id }, i) => (i % EVERY === 1 ? [id] : [])).join(", ")}`,
    summariesOnly: !bySingle.includes(true),
    predict(constants) {
      const out = new Float64Array(built.observed.length);
      let from = 0;
      for (const read of readers) from = read(constants, out, from);
      return out;
    },
  };
}

function push(built: Builder, family: number, value: number, block: number, heldOut: boolean, run: number): void {
  built.family.push(family);
  built.observed.push(value);
  built.block.push(block);
  built.heldOut.push(heldOut ? 1 : 0);
  built.run.push(run);
}

interface Cell {
  readonly family: number;
  readonly request: number;
  readonly ms: number;
}

function requestCells({ ttftMs, tpotMs, e2eMs, counted }: RunRequests): readonly Cell[] {
  return [ttftMs, tpotMs, e2eMs].flatMap((column, family) =>
    Array.from(column).flatMap((ms, request) => (counted[request] === 1 && ms > 0 ? [{ family, request, ms }] : [])),
  );
}

type Latencies = Pick<RunRequests, "ttftMs" | "tpotMs" | "e2eMs">;

/** Latencies as the client or the engine's own clock would see them: with the API overhead in TTFT and E2E. */
function latenciesOf(
  { arrivals }: RunLoad,
  { sentS, firstTokenS, lastTokenS }: RunTimes,
  constants: Constants,
): Latencies {
  const apiMs = constants["apiOverheadMs"]!;
  return {
    ttftMs: firstTokenS.map((timeS, i) => (timeS - sentS[i]!) * 1000 + apiMs),
    tpotMs: lastTokenS.map((timeS, i) => ((timeS - firstTokenS[i]!) * 1000) / (arrivals.outputTokens[i]! - 1)),
    e2eMs: lastTokenS.map((timeS, i) => (timeS - sentS[i]!) * 1000 + apiMs),
  };
}

function readCells(
  cells: readonly Cell[],
  { ttftMs, tpotMs, e2eMs }: Latencies,
  out: Float64Array,
  from: number,
): number {
  const columns = [ttftMs, tpotMs, e2eMs];
  cells.forEach(({ family, request }, i) => (out[from + i] = log(columns[family]![request]!)));
  return from + cells.length;
}

/** Means and medians over requests, and the mean over gaps between tokens. */
function summaryOfRequests(
  requests: Latencies & Pick<RunRequests, "counted" | "outputTokens">,
): Record<string, number> {
  const { ttftMs, tpotMs, e2eMs, counted, outputTokens } = requests;
  const summary: Record<string, number> = {};
  let gapMs = 0;
  let gaps = 0;
  tpotMs.forEach((ms, i) => {
    if (counted[i] !== 1 || !(ms > 0)) return;
    gapMs += ms * (outputTokens[i]! - 1);
    gaps += outputTokens[i]! - 1;
  });
  if (gaps > 0) summary["itlMsMean"] = gapMs / gaps;
  for (const [name, column] of [
    ["ttftMs", ttftMs],
    ["tpotMs", tpotMs],
    ["e2eMs", e2eMs],
  ] as const) {
    const values = [...column].filter((ms, i) => counted[i] === 1 && ms > 0).sort((a, b) => a - b);
    if (values.length === 0) continue;
    summary[`${name}Mean`] = mean(values);
    summary[`${name}P50`] = quantile(values, 0.5);
  }
  return summary;
}

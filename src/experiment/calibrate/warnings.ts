/** What is left of a calibration and should not be. Each warning says what to check or to measure. */
import { log } from "../../kernel/math.ts";
import type { BenchmarkRun } from "./benchmark-run.ts";
import type { Calibration, ErrorsByFamily } from "./calibrate.ts";
import type { Fit } from "./fit.ts";
import type { RunLoad } from "./load.ts";
import { FAMILIES, type Family, type Observations } from "./observations.ts";
import { IDENTIFIED } from "./parameters.ts";
import { figure, percent } from "./text.ts";

/** A calibration before its warnings, and what they are read off. */
export interface Judged extends Pick<Calibration, "parameters" | "fitted" | "heldOut"> {
  readonly runs: readonly BenchmarkRun[];
  readonly loads: readonly RunLoad[];
  readonly observations: Pick<Observations, "family" | "summariesOnly">;
  readonly fit: Pick<Fit, "z" | "covariance">;
  /** Logarithms of the predictions, in the order of the observations. */
  readonly predictAt: (z: readonly number[]) => Float64Array;
}

/** Mean error of fitted latencies above which something else is wrong. */
const UNEXPLAINED = 0.15;
/** So many prior standard deviations are no fast or slow build of an engine any more, but another load, unit or machine. */
const PLAUSIBLE_SD = 4;
/** What is held out is a sample of its own: errors so much above those as fitted, as a ratio and in points, are not its chance. */
const HELD_OUT_RATIO = 2;
const HELD_OUT_POINTS = 0.05;
/** Share of failed requests above which the replayed load is another one. Assumed. */
const FAILED = 0.05;
/** Cut off where the benchmark ended, as every timed run has some: only its last seconds were more loaded than the replay. */
const CUT_OFF = "incomplete";
/** A server that idles so much of the time tells nothing of batches. */
const IDLE = 0.9;

export function warningsOf(judged: Judged): readonly string[] {
  const doubts = [...unexplained(judged), ...otherSolution(judged), ...implausible(judged)];
  // An idle server is a fair thing to measure, and a hint where something is odd besides.
  return [...doubts, ...(doubts.length > 0 ? idle(judged) : []), ...failed(judged)];
}

/** A bias that the fit could not remove is not in its constants, unless the priors held them where they were. */
function unexplained(judged: Judged): readonly string[] {
  return entriesOf(judged.fitted.after).flatMap(([family, { bias }]) =>
    Math.abs(bias) > UNEXPLAINED
      ? [
          `${family.toUpperCase()} is still ${bias < 0 ? "predicted too low" : "predicted too high"} by ${Math.round(Math.abs(bias) * 100)} % on average: ${
            heldByPriors(judged, family)
              ? "too few values to move the constants. Give more runs, or details of each request and when it was sent (--save-detailed)"
              : "the constants can't explain it. Check --max-num-seqs, --max-num-batched-tokens, --kv-blocks, --gpu and --weight-dtype against the server's start-up log"
          }`,
        ]
      : [],
  );
}

/**
 * Of a family's mean, few values of summaries leave most of what the priors leave open, while constants that are plausible
 * would explain what was measured.
 */
function heldByPriors(judged: Judged, family: Family): boolean {
  const { observations, fit, fitted } = judged;
  if (!observations.summariesOnly) return false;
  const slopes = slopesOf(judged, FAMILIES.indexOf(family));
  const priorSd = Math.sqrt(slopes.reduce((sum, slope) => sum + slope * slope, 0));
  const variance = fit.covariance.reduce(
    (sum, row, i) => sum + row.reduce((part, value, j) => part + slopes[i]! * value * slopes[j]!, 0),
    0,
  );
  const distance = Math.abs(log(1 + fitted.before[family]!.bias));
  return Math.sqrt(variance) > IDENTIFIED * priorSd && distance < PLAUSIBLE_SD * priorSd;
}

/** What one prior standard deviation of each parameter does to a family's mean logarithm, at the fit. */
function slopesOf({ observations, fit, predictAt }: Judged, family: number): readonly number[] {
  const meanAt = (z: readonly number[]): number => {
    const members = predictAt(z).filter((_, i) => observations.family[i] === family);
    return members.reduce((sum, value) => sum + value, 0) / members.length;
  };
  return fit.z.map((_, moved) => {
    const at = (by: number): number => meanAt(fit.z.map((value, i) => (i === moved ? value + by : value)));
    return at(0.5) - at(-0.5);
  });
}

/** The held-out errors are those of the fit to the rest. They say little of the constants that are kept where these are others. */
function otherSolution({ fitted, heldOut }: Judged): readonly string[] {
  if (heldOut === null) return [];
  const apart = entriesOf(heldOut.after).flatMap(([family, { medianAbs }]) => {
    const asFitted = fitted.after[family]!.medianAbs;
    return medianAbs > HELD_OUT_RATIO * asFitted && medianAbs > asFitted + HELD_OUT_POINTS
      ? [`${family.toUpperCase()} ${percent(medianAbs)} instead of ${percent(asFitted)}`]
      : [];
  });
  if (apart.length === 0) return [];
  return [
    `what was held out is much further off under a fit to the rest than under the constants of everything (median: ${apart.join(", ")}): the two fits are different solutions, so the held-out errors don't vouch for the constants. Check units and options of the runs, or give more runs`,
  ];
}

function implausible({ parameters }: Judged): readonly string[] {
  return parameters.flatMap(({ name, estimate, unit, movedPriorSd }) =>
    Math.abs(movedPriorSd) > PLAUSIBLE_SD
      ? [
          `${name} moved by ${movedPriorSd < 0 ? "−" : "+"}${Math.abs(movedPriorSd).toFixed(1)} prior standard deviations, to ${figure(estimate)}${unit === "" ? "" : ` ${unit}`}: more than physics makes plausible. Check units and options of the runs`,
        ]
      : [],
  );
}

/** Times of sending in ms that are read as seconds take all queues and batches out of a run. */
function idle({ runs, loads }: Judged): readonly string[] {
  return runs.flatMap(({ id, requests }, i) => {
    const { arrivals, concurrency } = loads[i]!;
    if (requests === null || requests.arrivalS === null || concurrency < Infinity) return [];
    const spanS = arrivals.arrivalS.at(-1)! + requests.e2eMs.at(-1)! / 1000;
    const inFlight = requests.e2eMs.reduce((sum, ms) => sum + ms / 1000, 0) / spanS;
    return inFlight < 1 - IDLE
      ? [
          `${id}: ${figure(inFlight)} requests in flight on average, so hardly any two overlap. If the benchmark sent more at once, the times of sending are in the wrong unit`,
        ]
      : [];
  });
}

function failed({ runs }: Judged): readonly string[] {
  return runs.flatMap(({ id, requestCount, dropped }) => {
    const reasons = Object.entries(dropped).filter(([reason]) => reason !== CUT_OFF);
    const count = reasons.reduce((sum, [, one]) => sum + one, 0);
    const share = count / (count + requestCount);
    return share > FAILED
      ? [
          `${id}: ${count} of ${count + requestCount} requests are left out (${reasons.map(([reason]) => reason).join(", ")}): they loaded the server too, and the replay sends none of them, so its load is another one. Measure again where nothing fails`,
        ]
      : [];
  });
}

function entriesOf(errors: ErrorsByFamily): readonly (readonly [Family, NonNullable<ErrorsByFamily[Family]>])[] {
  return FAMILIES.flatMap((family) => {
    const of = errors[family];
    return of === undefined ? [] : [[family, of] as const];
  });
}

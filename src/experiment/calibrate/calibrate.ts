/**
 * Calibration: fits the table of parameters to benchmark runs and says how well each is known, and whether predictions of
 * what was held out got better. That is asked of a fit to the rest; what is kept is fitted to everything, so that the order of
 * files does not decide which of them count. Pure: files are read and written by the caller.
 */
import { DataError } from "../../kernel/errors.ts";
import { exp, log } from "../../kernel/math.ts";
import { type ErrorStatistics, errorStatistics } from "../validate/pool.ts";
import type { BenchmarkRun, FormatName } from "./benchmark-run.ts";
import { type Fit, fitParameters } from "./fit.ts";
import { type LoadOptions, type RunLoad, loadsOf } from "./load.ts";
import { eigenvalues } from "./matrix.ts";
import { FAMILIES, type Family, type Observations, observationsOf } from "./observations.ts";
import { type Constants, type FittedParameter, IDENTIFIED, constantsAt, movable, valueAt } from "./parameters.ts";
import { type Catalogs, type Target, type TargetOptions, resolveTarget } from "./target.ts";
import { warningsOf } from "./warnings.ts";

/** How much of what is known of a parameter comes from these runs. */
export type Identified = "identified" | "weakly identified" | "not identified by these runs";

export interface ParameterEstimate {
  readonly name: string;
  readonly label: string;
  readonly unit: string;
  readonly home: FittedParameter["home"];
  readonly prior: number;
  readonly estimate: number;
  /** In the unit of the value. */
  readonly standardError: number;
  /** 95 %, prior and data together. */
  readonly low: number;
  readonly high: number;
  /** Estimate − prior in prior standard deviations. */
  readonly movedPriorSd: number;
  /** Posterior ÷ prior standard deviation: 1 = the runs say nothing. */
  readonly sdRatio: number;
  readonly identified: Identified;
  /** It stopped at the end of its range: something that is not in the model is in it. */
  readonly atBound: boolean;
  /** The kind of run that would tell more; null where it is identified. */
  readonly wanted: string | null;
}

export type ErrorsByFamily = Readonly<Partial<Record<Family, Omit<ErrorStatistics, "insideBand">>>>;

export interface Calibration {
  readonly target: {
    readonly gpu: string;
    readonly model: string;
    readonly weightDtype: string;
    readonly tensorParallelSize: number;
    readonly engine: string;
    readonly engineVersion: string;
    readonly clock: string;
    readonly profile: string;
    readonly priorSet: string;
    /** Limits of the engine that the runs were replayed under. */
    readonly maxNumSeqs: number;
    readonly maxNumBatchedTokens: number;
    readonly kvBlocks: number;
  };
  /** What is left and should not be. */
  readonly warnings: readonly string[];
  readonly runs: readonly {
    readonly id: string;
    readonly format: FormatName;
    readonly requests: number;
    readonly compared: "requests" | "summary";
    readonly load: string;
    readonly dropped: Readonly<Record<string, number>>;
  }[];
  readonly parameters: readonly ParameterEstimate[];
  /** Posterior correlations, in the order of `parameters`. */
  readonly correlation: readonly (readonly number[])[];
  /** Eigenvalues of the information of the runs in prior units, falling: above 1 the runs know more than the prior. */
  readonly informationEigenvalues: readonly number[];
  /** Largest ÷ smallest of them; null when the smallest is 0. */
  readonly conditionNumber: number | null;
  /** Spread and design effect of the fitted residuals. */
  readonly residuals: Readonly<
    Record<string, { readonly n: number; readonly sd: number; readonly designEffect: number }>
  >;
  /** Of everything, which the constants were fitted to. */
  readonly fitted: { readonly before: ErrorsByFamily; readonly after: ErrorsByFamily };
  /** Of what was held out, under constants fitted to the rest; null when there is too little to hold any out. */
  readonly heldOut: {
    readonly what: string;
    readonly before: ErrorsByFamily;
    readonly after: ErrorsByFamily;
    /** Mean over TTFT, TPOT and E2E of the median absolute error. */
    readonly medianBefore: number;
    readonly medianAfter: number;
    readonly better: boolean;
  } | null;
  readonly constants: Constants;
}

/** Least spread of log residuals: of a request, clocks and chunks of a client; of a summary, a benchmark run again. Assumed. */
const REQUEST_FLOOR = 0.02;
const SUMMARY_FLOOR = 0.05;
/** Posterior ÷ prior standard deviation. */
const WEAKLY = 0.85;
const Z95 = 1.96;

/** Throws ConfigError for what is not said or unknown, DataError for runs that cannot be replayed. */
export function calibrate(
  runs: readonly BenchmarkRun[],
  options: TargetOptions & LoadOptions,
  catalogs: Catalogs,
): { readonly calibration: Calibration; readonly target: Target } {
  const target = resolveTarget(runs, options, catalogs);
  const loads = loadsOf(runs, options, target);
  const observations = observationsOf(runs, loads, target);
  if (observations.use.length === 0)
    throw new DataError(runs[0]!.file, null, "neither a time to first token nor a time per output token to fit to");
  const parameters = movable(target.prior);
  const bounds = parameters.map((one) => boundsOf(one, target.prior));
  const floor = observations.summariesOnly ? SUMMARY_FLOOR : REQUEST_FLOOR;
  const fitTo = (use: readonly number[]): Fit =>
    fitParameters({
      predict: (z) => observations.predict(constantsAt(parameters, target.prior, z)),
      observed: observations.observed,
      family: observations.family,
      block: observations.block,
      families: FAMILIES.length,
      use,
      low: bounds.map(({ low }) => low),
      high: bounds.map(({ high }) => high),
      floor: FAMILIES.map(() => floor),
    });
  const predictAt = (z: readonly number[]): Float64Array =>
    observations.predict(constantsAt(parameters, target.prior, z));
  // From the prior, as the fit that is kept. A start at that fit would show what was held out to the search: where the rest has
  // several solutions, it would find the one that suits both, and hide that which part is fitted decides.
  const judged = observations.heldOutWhat === null ? null : fitTo(observations.use);
  const fit = fitTo(observations.all);
  const constants = constantsAt(parameters, target.prior, fit.z);
  const before = observations.predict(target.prior);
  const eigen = eigenvalues(fit.information).map((value) => Math.max(0, value));
  const smallest = eigen.at(-1) ?? 0;
  const fitted = { before: errorsOf(observations, before), after: errorsOf(observations, predictAt(fit.z)) };
  const heldOut = judged === null ? null : heldOutOf(observations, before, predictAt(judged.z));
  const estimates = parameters.map((one, i) =>
    estimateOf(one, target.prior, fit.z[i]!, Math.sqrt(fit.covariance[i]![i]!)),
  );
  const calibration: Calibration = {
    target: describeTarget(target),
    warnings: warningsOf({ runs, loads, observations, parameters: estimates, fit, fitted, heldOut, predictAt }),
    runs: runs.map((run, i) => describeRun(run, loads[i]!)),
    parameters: estimates,
    correlation: fit.covariance.map((row, i) =>
      row.map((value, j) => value / Math.sqrt(fit.covariance[i]![i]! * fit.covariance[j]![j]!)),
    ),
    informationEigenvalues: eigen,
    conditionNumber: smallest > 0 ? eigen[0]! / smallest : null,
    residuals: Object.fromEntries(
      FAMILIES.flatMap((family, f) => {
        const n = observations.all.filter((i) => observations.family[i] === f).length;
        return n === 0 ? [] : [[family, { n, sd: fit.sigma[f]!, designEffect: fit.designEffect[f]! }] as const];
      }),
    ),
    fitted,
    heldOut,
    constants,
  };
  return { calibration, target };
}

function boundsOf(one: FittedParameter, prior: Constants): { low: number; high: number } {
  const at = prior[one.name]!;
  if (one.scale === "linear") return { low: (one.min - at) / one.priorSd, high: (one.max - at) / one.priorSd };
  return {
    low: one.min > 0 ? log(one.min / at) / one.priorSd : -Infinity,
    high: log(one.max / at) / one.priorSd,
  };
}

function estimateOf(one: FittedParameter, prior: Constants, z: number, sdRatio: number): ParameterEstimate {
  const estimate = valueAt(one, prior, z);
  const atBound = estimate !== prior[one.name] && (estimate === one.min || estimate === one.max);
  const identified: Identified =
    sdRatio < IDENTIFIED ? "identified" : sdRatio < WEAKLY ? "weakly identified" : "not identified by these runs";
  return {
    name: one.name,
    label: one.label,
    unit: one.unit,
    home: one.home,
    prior: prior[one.name]!,
    estimate,
    standardError: sdRatio * one.priorSd * (one.scale === "log" ? estimate : 1),
    low: valueAt(one, prior, z - Z95 * sdRatio),
    high: valueAt(one, prior, z + Z95 * sdRatio),
    movedPriorSd: z,
    sdRatio,
    identified,
    atBound,
    wanted: identified === "identified" ? null : one.identifiedBy,
  };
}

/** Errors by family of everything, or of what is held out alone. */
function errorsOf(observations: Observations, predicted: Float64Array, heldOutOnly = false): ErrorsByFamily {
  return Object.fromEntries(
    FAMILIES.flatMap((family, f) => {
      const errors: number[] = [];
      observations.observed.forEach((value, i) => {
        if (observations.family[i] === f && (!heldOutOnly || observations.heldOut[i] === 1))
          errors.push(exp(predicted[i]! - value) - 1);
      });
      return errors.length === 0 ? [] : [[family, errorStatistics(errors)] as const];
    }),
  );
}

function heldOutOf(
  observations: Observations,
  before: Float64Array,
  after: Float64Array,
): NonNullable<Calibration["heldOut"]> {
  const errors = { before: errorsOf(observations, before, true), after: errorsOf(observations, after, true) };
  const medianOf = (of: ErrorsByFamily): number => {
    const medians = Object.values(of).map(({ medianAbs }) => medianAbs);
    return medians.reduce((sum, value) => sum + value, 0) / medians.length;
  };
  const medianBefore = medianOf(errors.before);
  const medianAfter = medianOf(errors.after);
  return { what: observations.heldOutWhat!, ...errors, medianBefore, medianAfter, better: medianAfter <= medianBefore };
}

function describeTarget(target: Target): Calibration["target"] {
  return {
    gpu: target.gpu.id,
    model: target.llm.id,
    weightDtype: target.weightDtype,
    tensorParallelSize: target.engine.tensorParallelSize,
    engine: target.profile.engine,
    engineVersion: target.engineVersion,
    clock: target.clock,
    profile: target.profile.id,
    priorSet: target.coefficients.scope,
    maxNumSeqs: target.engine.maxNumSeqs,
    maxNumBatchedTokens: target.engine.maxNumBatchedTokens,
    kvBlocks: target.engine.kvBlocks,
  };
}

function describeRun(run: BenchmarkRun, load: RunLoad): Calibration["runs"][number] {
  const recorded = run.requests?.arrivalS != null;
  const what =
    load.concurrency < Infinity
      ? `${load.concurrency} in flight`
      : recorded
        ? "recorded times of sending"
        : load.requestByRequest
          ? "all at once"
          : "arrivals drawn at the rate";
  return {
    id: run.id,
    format: run.format,
    requests: run.requestCount,
    compared: load.requestByRequest && run.requests !== null ? "requests" : "summary",
    load: what,
    dropped: run.dropped,
  };
}

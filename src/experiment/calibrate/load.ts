/**
 * The load of a run as the simulator replays it: recorded times of sending, a fixed number in flight, or, where a file says
 * neither, arrivals drawn at its rate.
 */
import { ConfigError, DataError } from "../../kernel/errors.ts";
import { caseArrivals } from "../validate/arrivals.ts";
import { parseCaseFile } from "../validate/case.ts";
import type { BenchmarkRun } from "./benchmark-run.ts";
import type { Target } from "./target.ts";

/** For runs whose file does not say. */
export interface LoadOptions {
  readonly requestRatePerS?: number;
  readonly maxConcurrency?: number;
}

/** Seconds from the start, rising; tokens. */
export interface RunArrivals {
  readonly arrivalS: Float64Array;
  readonly inputTokens: Uint32Array;
  readonly outputTokens: Uint32Array;
}

export interface RunLoad {
  readonly arrivals: RunArrivals;
  /** Requests that may be in flight; each that ends lets the next one go. Infinity: `arrivals` says when each is sent. */
  readonly concurrency: number;
  /** Each simulated request is the recorded one, so that their latencies can be compared one by one. */
  readonly requestByRequest: boolean;
}

/** Throws ConfigError for runs whose load nobody says, all at once, and DataError for a request that cannot be served. */
export function loadsOf(runs: readonly BenchmarkRun[], options: LoadOptions, target: Target): readonly RunLoad[] {
  const unused = OPTIONS.filter(([option]) => options[option] !== undefined && !runs.some((run) => saysNoLoad(run)));
  if (unused.length > 0)
    throw new ConfigError(
      unused.map(([, name]) => ({ path: [name], message: "has no effect: every file says its load itself" })),
    );
  const loads = runs.map((run) => loadOf(run, options));
  const unknown = runs.filter((_, i) => loads[i] === null);
  if (unknown.length > 0)
    throw new ConfigError(
      unknown.map(({ file }) => ({
        file,
        path: ["--request-rate"],
        message:
          "is needed, or --max-concurrency: the file says neither when requests were sent nor how many were in flight",
      })),
    );
  const { kvBlocks, blockTokens } = target.engine;
  const capacity = kvBlocks * blockTokens;
  loads.forEach((load, run) => {
    const { inputTokens, outputTokens } = load!.arrivals;
    for (let i = 0; i < inputTokens.length; i++) {
      const tokens = inputTokens[i]! + outputTokens[i]! - 1;
      if (tokens > capacity)
        throw new DataError(
          runs[run]!.file,
          null,
          `request ${i + 1} in order of arrival needs ${tokens} tokens of KV cache; a replica on ${target.gpu.id} has ${capacity}: is --gpu, --weight-dtype or --tensor-parallel-size wrong? --kv-blocks sets it`,
        );
    }
  });
  return loads as readonly RunLoad[];
}

const OPTIONS = [
  ["requestRatePerS", "--request-rate"],
  ["maxConcurrency", "--max-concurrency"],
] as const;

/** Neither when requests were sent, nor at which rate, nor how many were in flight. */
function saysNoLoad({ facts, requests }: BenchmarkRun): boolean {
  return facts.requestRatePerS == null && facts.maxConcurrency == null && (requests?.arrivalS ?? null) === null;
}

function loadOf(run: BenchmarkRun, options: LoadOptions): RunLoad | null {
  const { facts, requests } = run;
  const recordedS = requests?.arrivalS ?? null;
  const lengths = lengthsOf(run);
  const count = lengths.inputTokens.length;
  const rate = facts.requestRatePerS ?? null;
  if (count === 0) throw new DataError(run.file, null, "no completed request");
  if (rate !== null && !(rate > 0)) throw new DataError(run.file, null, `a rate of ${rate} requests per second`);
  const silent = saysNoLoad(run);
  const concurrency = facts.maxConcurrency ?? (silent ? options.maxConcurrency : undefined) ?? Infinity;
  const ratePerS =
    rate ?? (silent ? options.requestRatePerS : undefined) ?? (facts.maxConcurrency != null ? Infinity : null);
  const atOnce = { arrivals: { arrivalS: new Float64Array(count), ...lengths }, requestByRequest: requests !== null };
  if (concurrency < Infinity && (ratePerS === null || ratePerS === Infinity)) return { ...atOnce, concurrency };
  if (recordedS !== null)
    return { arrivals: { arrivalS: recordedS, ...lengths }, concurrency: Infinity, requestByRequest: true };
  if (ratePerS === Infinity) return { ...atOnce, concurrency: Infinity };
  if (ratePerS === null) return null;
  const { arrivalS } = caseArrivals(openCase(run.id, ratePerS, facts.arrivalCv ?? 1, count), () => null);
  return { arrivals: { arrivalS, ...lengths }, concurrency, requestByRequest: false };
}

function lengthsOf({
  requests,
  requestCount,
  meanInputTokens,
  meanOutputTokens,
}: BenchmarkRun): Omit<RunArrivals, "arrivalS"> {
  if (requests !== null) return { inputTokens: requests.inputTokens, outputTokens: requests.outputTokens };
  return {
    inputTokens: new Uint32Array(requestCount).fill(Math.max(1, Math.round(meanInputTokens))),
    outputTokens: new Uint32Array(requestCount).fill(Math.max(1, Math.round(meanOutputTokens))),
  };
}

/** A validation case with nothing but an open load, whose arrivals validation knows how to draw. */
function openCase(id: string, ratePerS: number, arrivalCv: number, requests: number) {
  const constant = { dist: "constant", value: 1 };
  const load = { kind: "open", ratePerS, arrivalCv, requests, inputTokens: constant, outputTokens: constant };
  const system = { gpu: "", model: "", weightDtype: "", engine: "", measured: {} };
  const [parsed] = parseCaseFile(id, [{ id, role: "calibration", ...system, load }])!;
  if (!parsed!.ok) throw new ConfigError([{ path: ["--request-rate"], message: parsed!.reason }]);
  return parsed!.case;
}

/**
 * The requests of a recorded load, for one simulated replica. Times in seconds from the start, lengths in tokens. What the
 * source does not record (the very arrivals, the very lengths) is drawn from streams named after the case.
 */
import { gamma } from "../../kernel/samplers.ts";
import { type Draw, stream } from "../../kernel/random.ts";
import type { CaseLengths, RecordedCase } from "./case.ts";

export interface CaseArrivals {
  /** Rising. */
  readonly arrivalS: Float64Array;
  readonly inputTokens: Uint32Array;
  readonly outputTokens: Uint32Array;
}

/** A load that cannot be turned into requests; the message says why. */
export class LoadError extends Error {}

const SEED = "validate";
/** Where a source gives neither a number of requests nor a duration. Assumed: enough for a P99 of five samples. */
const REQUESTS_IF_NOT_RECORDED = 500;
/** All at once they must be several batches, or filling and draining would count: what trtllm-bench runs at most length pairs. */
const OFFLINE_REQUESTS_IF_NOT_RECORDED = 3000;

/**
 * Arrivals of an `open`, `offline` or `trace` load, warm-up requests first. `readText` gives the text of the case's
 * `requestsFile`, null when it cannot be read. Throws LoadError.
 */
export function caseArrivals(recorded: RecordedCase, readText: (path: string) => string | null): CaseArrivals {
  const { load, id } = recorded;
  if (load.kind === "trace") {
    if (load.requestsFile === undefined) throw new LoadError("a trace load without requestsFile");
    const text = readText(load.requestsFile);
    if (text === null) throw new LoadError(`${load.requestsFile} cannot be read`);
    return parseRequests(text, load.requestsFile);
  }
  const { inputTokens, outputTokens } = load;
  if (inputTokens === undefined || outputTokens === undefined) throw new LoadError("token lengths are not recorded");
  const arrivalS = load.kind === "open" ? openArrivals(recorded) : offlineArrivals(recorded);
  return {
    arrivalS,
    inputTokens: drawLengths(inputTokens, arrivalS.length, stream(SEED, 0, `validate/${id}/input`)),
    outputTokens: drawLengths(outputTokens, arrivalS.length, stream(SEED, 0, `validate/${id}/output`)),
  };
}

function offlineArrivals({ load }: RecordedCase): Float64Array {
  return new Float64Array((load.requests ?? OFFLINE_REQUESTS_IF_NOT_RECORDED) + (load.warmupRequests ?? 0));
}

/** Gaps of mean 1/rate, Gamma with the recorded coefficient of variation (1 = Poisson, 0 = equal gaps). */
function openArrivals({ load, id }: RecordedCase): Float64Array {
  const draw = stream(SEED, 0, `validate/${id}/arrivals`);
  const cv = load.arrivalCv ?? 1;
  const gap = (): number => (cv === 0 ? 1 : gamma(draw, 1 / (cv * cv)) * cv * cv);
  if (load.stages !== undefined) return stagedArrivals(load.stages, gap);
  if (load.ratePerS === undefined) throw new LoadError("an open load without ratePerS or stages");
  const { ratePerS, durationS } = load;
  if (load.requests === undefined && durationS !== undefined) return stagedArrivals([{ ratePerS, durationS }], gap);
  const arrivalS = new Float64Array((load.requests ?? REQUESTS_IF_NOT_RECORDED) + (load.warmupRequests ?? 0));
  let timeS = 0;
  for (let i = 0; i < arrivalS.length; i++) {
    timeS += gap() / ratePerS;
    arrivalS[i] = timeS;
  }
  return arrivalS;
}

/** Stages one after the other; a gap that straddles a seam is stretched by each stage's own rate. */
function stagedArrivals(
  stages: readonly { readonly ratePerS: number; readonly durationS: number }[],
  gap: () => number,
): Float64Array {
  const times: number[] = [];
  let startS = 0;
  let unitsLeft = gap();
  for (const { ratePerS, durationS } of stages) {
    let timeS = startS;
    const endS = startS + durationS;
    for (;;) {
      const nextS = timeS + unitsLeft / ratePerS;
      if (nextS >= endS) break;
      times.push(nextS);
      timeS = nextS;
      unitsLeft = gap();
    }
    unitsLeft -= (endS - timeS) * ratePerS;
    startS = endS;
  }
  if (times.length === 0) throw new LoadError("the stages are too short for one request");
  return Float64Array.from(times);
}

function drawLengths(lengths: CaseLengths, size: number, draw: Draw): Uint32Array {
  switch (lengths.dist) {
    case "constant":
      return new Uint32Array(size).fill(Math.max(1, Math.round(lengths.value)));
    case "mean-only":
      return new Uint32Array(size).fill(Math.max(1, Math.round(lengths.mean)));
    case "uniform-int":
      return Uint32Array.from(
        { length: size },
        () => lengths.min + Math.floor(draw() * (lengths.max - lengths.min + 1)),
      );
    case "trace":
      throw new LoadError("lengths come from a trace that the load does not name");
  }
}

/** Reads the CSV of a recorded trace: a header with arrivalS, inputTokens and outputTokens; other columns are ignored. */
export function parseRequests(text: string, file: string): CaseArrivals {
  const [header = "", ...rows] = text.trim().split(/\r?\n/);
  const names = header.split(",").map((name) => name.trim());
  const columns = ["arrivalS", "inputTokens", "outputTokens"].map((name) => {
    const column = names.indexOf(name);
    if (column < 0) throw new LoadError(`${file}: no column ${name}`);
    return column;
  });
  const parsed = rows.map((row, i) => {
    const cells = row.split(",");
    const values = columns.map((column) => Number(cells[column]?.trim() || NaN));
    if (!(values[0]! >= 0 && values[1]! >= 1 && values[2]! >= 1))
      throw new LoadError(`${file}: row ${i + 1} is not a request`);
    return values as [number, number, number];
  });
  if (parsed.length === 0) throw new LoadError(`${file}: no requests`);
  parsed.sort((a, b) => a[0] - b[0]);
  return {
    arrivalS: Float64Array.from(parsed, (row) => row[0]),
    inputTokens: Uint32Array.from(parsed, (row) => row[1]),
    outputTokens: Uint32Array.from(parsed, (row) => row[2]),
  };
}

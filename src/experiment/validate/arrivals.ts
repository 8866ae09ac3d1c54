/**
 * The requests of a recorded load. Times in seconds from the start, lengths in tokens. What the source does not record
 * (the very arrivals, the very lengths) is drawn from streams named after the case.
 */
import { nearest } from "../../catalog/nearest.ts";
import { gamma } from "../../kernel/samplers.ts";
import { stream } from "../../kernel/random.ts";
import { LOAD_FIELDS, MOST_REQUESTS, type RecordedCase } from "./case.ts";
import { type PromptContent, sharedPrompts } from "./content.ts";
import { LoadError, drawLengths } from "./lengths.ts";

export interface CaseArrivals {
  /** Rising. When a request is sent, unless it must wait: see `clients`, `after` and `stage`. */
  readonly arrivalS: Float64Array;
  readonly inputTokens: Uint32Array;
  readonly outputTokens: Uint32Array;
  /** Closed load, or offline with a warm-up: so many are in flight, each that ends sends the next in line. The warm-up ends before the rest starts. */
  readonly clients: { readonly concurrency: number; readonly warmupRequests: number } | null;
  /** Most requests in flight at a time; one whose time has come waits at its client until there is room. Infinity = no limit. */
  readonly mostInFlight: number;
  /** Index of the request that must end before this one is sent, −1 for none; null = nobody waits. */
  readonly after: Int32Array | null;
  /** Which parts of the prompts are shared; null = none is known to be. */
  readonly content: PromptContent | null;
  /**
   * Index of the load's stage that sent each request; null = a load without stages. A stage starts when its time has come and the one before
   * has been answered, as inference-perf does it (load_generator.py @0167ee6); what comes after it is that much later.
   */
  readonly stage: Uint16Array | null;
  /** When each stage would start, seconds. */
  readonly stageStartS?: readonly number[] | undefined;
  /** What the reader of a result should know of them. */
  readonly note?: string;
}

/** Independent draws of one case, averaged so that the case's own luck is left as the only one. */
export const OPEN_DRAWS = 5;

/** Where a source gives neither a number of requests nor a duration. Assumed: enough for a P99 of five samples. */
const OPEN_REQUESTS_IF_NOT_RECORDED = 500;
/** The harness of InferenceX sends ten requests for each client (SemiAnalysisAI/InferenceX, Apache-2.0). */
const REQUESTS_PER_CLIENT_IF_NOT_RECORDED = 10;
/**
 * Size of an offline run by length of prompt and answer together, as NVIDIA publishes for trtllm-bench (TensorRT-LLM
 * docs/source/performance/perf-overview.md @00f3768): enough for a steady state.
 */
const OFFLINE_REQUESTS_IF_NOT_RECORDED = [
  { tokens: 256, requests: 30_000 },
  { tokens: 2999, requests: 3000 },
  { tokens: 5999, requests: 1500 },
  { tokens: Infinity, requests: 1000 },
] as const;

/**
 * Requests of an `open`, `closed`, `offline` or `trace` load, warm-up requests first. `readText` gives the text of the
 * case's `requestsFile`, null when it cannot be read. `draw` numbers independent draws. Throws LoadError.
 */
export function caseArrivals(
  recorded: RecordedCase,
  readText: (path: string) => string | null,
  draw = 0,
): CaseArrivals {
  const { load, id } = recorded;
  if (load.kind === "trace" || (load.kind === "open" && load.requestsFile !== undefined)) {
    if (load.requestsFile === undefined) throw lacks(load, "a trace load without", "requestsFile");
    const text = readText(load.requestsFile);
    if (text === null)
      throw new LoadError(
        `${load.requestsFile} cannot be read: it is relative to the file of its case and may not leave the folder of the cases`,
      );
    const parsed = firstRequests(parseRequests(text, load.requestsFile), load);
    return { ...parsed, mostInFlight: mostInFlight(load) };
  }
  const { outputTokens } = load;
  const named = (what: string) => stream("validate", draw, `validate/${id}/${what}`);
  if (outputTokens === undefined) throw new LoadError("token lengths are not recorded");
  const { arrivalS, stage, stageStartS } = arrivalTimes(recorded, draw);
  const size = arrivalS.length;
  const output = drawLengths(outputTokens, size, named("output"), "outputTokens");
  const { warmupRequests = 0 } = load;
  const clients =
    load.kind === "closed"
      ? { concurrency: Math.round(load.concurrency!), warmupRequests }
      : load.kind === "offline" && warmupRequests > 0
        ? { concurrency: size, warmupRequests }
        : null;
  const rest = { arrivalS, outputTokens: output, clients, mostInFlight: mostInFlight(load), stage, stageStartS };
  const shared = sharedPrompts(load, output, named("input"), named("users"));
  if (clients !== null && shared !== null && shared.after !== null)
    throw new LoadError(
      `conversations of a load that is ${load.kind === "closed" ? "closed" : "offline with a warm-up"}: who waits for whom is not recorded`,
    );
  if (shared !== null) return { ...rest, ...shared };
  if (load.inputTokens === undefined) throw new LoadError("token lengths are not recorded");
  return {
    ...rest,
    inputTokens: drawLengths(load.inputTokens, size, named("input"), "inputTokens"),
    after: null,
    content: null,
  };
}

/** As many rows of the file as the load says that there were requests, the earliest. */
function firstRequests(rows: CaseArrivals, load: RecordedCase["load"]): CaseArrivals {
  const held = rows.arrivalS.length;
  const { requests = held, warmupRequests = 0, requestsFile } = load;
  // Whether the number counts the warm-up or not, a row is a request.
  if (requests === held || requests + warmupRequests === held) return rows;
  const dropped = rows.note === undefined ? "" : `${rows.note}; `;
  const said = `${dropped}requests is ${requests}, and ${requestsFile} holds ${held}`;
  if (requests > held) return { ...rows, note: `${said}: all of them are sent` };
  const sent = Math.min(held, requests + warmupRequests);
  return {
    ...rows,
    arrivalS: rows.arrivalS.slice(0, sent),
    inputTokens: rows.inputTokens.slice(0, sent),
    outputTokens: rows.outputTokens.slice(0, sent),
    note: `${said}: the first ${sent} are sent`,
  };
}

/** The limit of a load generator such as vLLM's, under its name or that of closed loads. */
function mostInFlight({ kind, maxConcurrency, concurrency }: RecordedCase["load"]): number {
  return kind === "open" || kind === "trace" ? Math.round(maxConcurrency ?? concurrency ?? Infinity) : Infinity;
}

/** What had to be assumed about the requests of a load, for the reader of a result. */
export function loadCaveats({ load }: RecordedCase): readonly string[] {
  const caveats: string[] = [];
  if (load.inputTokens?.dist === "mean-only" || load.outputTokens?.dist === "mean-only")
    caveats.push("lengths are recorded as means: every request has the mean length");
  const timed = load.stages !== undefined || (load.kind === "open" && load.durationS !== undefined);
  const listed = load.requestsFile !== undefined && (load.kind === "open" || load.kind === "trace");
  if (load.requests === undefined && !timed && !listed && load.kind !== "trace" && load.kind !== "startup")
    caveats.push("the number of requests is not recorded: assumed");
  if (load.kind === "closed" && load.durationS !== undefined)
    caveats.push("the clients stop after a number of requests, not after durationS: makespan follows from it");
  caveats.push(...fileCaveats(load));
  if (mostInFlight(load) < Infinity)
    caveats.push(
      `at most ${mostInFlight(load)} requests are in flight: times count from when the client sends, not from when it wanted to`,
    );
  return caveats;
}

/** What stands beside a requestsFile: it has times and lengths of its own, and no word of what prompts share. */
function fileCaveats(load: RecordedCase["load"]): readonly string[] {
  if (load.requestsFile === undefined) return [];
  if (load.kind !== "trace" && load.kind !== "open")
    return [`load.requestsFile is not read of a load ${load.kind}: only trace and open loads have one`];
  const shared = [...((load.sharedPrefixTokens ?? 0) > 0 ? ["sharedPrefixTokens"] : []), ...given(load, ["prefix"])];
  const other = given(load, ["ratePerS", "arrivalCv", "burstiness", "stages", "durationS"]);
  return [
    ...shared.map((name) => `prompts of a requestsFile are taken to share nothing: ${name} is not read`),
    ...(other.length === 0 ? [] : [`the times are those of the requestsFile; not read: ${other.join(", ")}`]),
  ];
}

function given(load: RecordedCase["load"], names: readonly (keyof RecordedCase["load"])[]): readonly string[] {
  return names.filter((name) => load[name] !== undefined).map(String);
}

type Times = Pick<CaseArrivals, "arrivalS" | "stage" | "stageStartS">;

function arrivalTimes(recorded: RecordedCase, draw: number): Times {
  const { load } = recorded;
  if (load.kind === "open") return openArrivals(recorded, draw);
  const warmupRequests = load.warmupRequests ?? 0;
  if (load.kind === "closed") {
    if (load.concurrency === undefined) throw lacks(load, "a closed load without", "concurrency");
    const requests = load.requests ?? REQUESTS_PER_CLIENT_IF_NOT_RECORDED * Math.round(load.concurrency);
    return { arrivalS: new Float64Array(requests + warmupRequests), stage: null };
  }
  const requests = load.requests ?? offlineRequests(recorded);
  return { arrivalS: new Float64Array(requests + warmupRequests), stage: null };
}

/** Tokens of the longest request that the load may send, prompt and answer together; 0 where its lengths are in a file. */
export function longestRequest({ inputTokens, outputTokens, prefix }: RecordedCase["load"]): number {
  return [inputTokens, prefix?.systemTokens, prefix?.questionTokens, outputTokens].reduce(
    (sum, one) => sum + longest(one),
    0,
  );
}

function offlineRequests({ load }: RecordedCase): number {
  const tokens = longestRequest(load);
  return OFFLINE_REQUESTS_IF_NOT_RECORDED.find((row) => tokens <= row.tokens)!.requests;
}

function longest(lengths: RecordedCase["load"]["inputTokens"]): number {
  if (lengths === undefined || lengths.dist === "unknown") return 0;
  return lengths.dist === "uniform-int"
    ? lengths.max
    : lengths.dist === "constant"
      ? lengths.value
      : (lengths.mean ?? 0);
}

/**
 * Gaps of mean 1/rate, Gamma with the recorded coefficient of variation (1 = Poisson, 0 = equal gaps). The load
 * generators in use (vLLM's benchmark, inference-perf) stretch the gaps so that a stage has exactly its rate × duration.
 */
function openArrivals({ load, id }: RecordedCase, draw: number): Times {
  const stages = load.stages ?? [singleStage(load)];
  const luck = stream("validate", draw, `validate/${id}/arrivals`);
  const cv = load.arrivalCv ?? 1 / Math.sqrt(load.burstiness ?? 1);
  const gap = (): number => (cv === 0 ? 1 : gamma(luck, 1 / (cv * cv)));
  const times: number[] = [];
  const stageOf: number[] = [];
  const stageStartS: number[] = [];
  let startS = 0;
  stages.forEach(({ ratePerS, durationS }, stage) => {
    // A product such as 0.1 × 30 may come out just below a whole number.
    const size = Math.floor(ratePerS * durationS + 1e-6);
    if (size > MOST_REQUESTS) throw new LoadError(`${size} requests, of which ${MOST_REQUESTS} at most are replayed`);
    const gaps = Float64Array.from({ length: size }, gap);
    const unitS = durationS / gaps.reduce((sum, one) => sum + one, 0);
    let units = 0;
    for (const one of gaps) {
      units += one;
      times.push(startS + units * unitS);
      stageOf.push(stage);
    }
    stageStartS.push(startS);
    startS += durationS;
  });
  if (times.length === 0) throw new LoadError("the stages are too short for one request");
  return {
    arrivalS: Float64Array.from(times),
    stage: load.stages === undefined ? null : Uint16Array.from(stageOf),
    stageStartS,
  };
}

/** `load` does not say what it must; a field of it that nobody knows may have been meant to. */
function lacks(load: RecordedCase["load"], without: string, field: string): LoadError {
  const meant = nearest(
    field,
    Object.keys(load).filter((key) => !LOAD_FIELDS.includes(key)),
  );
  return new LoadError(`${without} ${field}${meant === null ? "" : ` (is "${meant}" meant to be it?)`}`);
}

function singleStage(load: RecordedCase["load"]): { ratePerS: number; durationS: number } {
  const { ratePerS, durationS, requests, warmupRequests = 0 } = load;
  if (ratePerS === undefined) throw lacks(load, "an open load without stages or", "ratePerS");
  if (requests === undefined && durationS !== undefined) return { ratePerS, durationS };
  return { ratePerS, durationS: ((requests ?? OPEN_REQUESTS_IF_NOT_RECORDED) + warmupRequests) / ratePerS };
}

/**
 * Reads the CSV of a recorded trace: a header with arrivalS, inputTokens and outputTokens; other columns are ignored. Rows without an answer
 * (outputTokens 0: the request failed) are left out.
 */
export function parseRequests(text: string, file: string): CaseArrivals {
  const [header = "", ...rows] = text.trim().split(/\r?\n/);
  const cellsOf = (row: string): string[] => row.split(",").map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
  const names = cellsOf(header);
  const columns = ["arrivalS", "inputTokens", "outputTokens"].map((name) => {
    const column = names.indexOf(name);
    if (column < 0) throw new LoadError(`${file}: no column ${name}`);
    return column;
  });
  const all = rows.map((row, i) => {
    const cells = cellsOf(row);
    const values = columns.map((column) => Number(cells[column] || NaN));
    if (!(values[0]! >= 0 && values[1]! >= 1 && (values[2]! >= 1 || values[2] === 0)))
      throw new LoadError(`${file}: row ${i + 1} is not a request`);
    return values as [number, number, number];
  });
  const parsed = all.filter(([, , outputTokens]) => outputTokens > 0);
  if (parsed.length === 0) throw new LoadError(`${file}: no requests`);
  parsed.sort((a, b) => a[0] - b[0]);
  return {
    arrivalS: Float64Array.from(parsed, (row) => row[0]),
    inputTokens: Uint32Array.from(parsed, (row) => row[1]),
    outputTokens: Uint32Array.from(parsed, (row) => row[2]),
    clients: null,
    mostInFlight: Infinity,
    after: null,
    content: null,
    stage: null,
    ...(parsed.length === all.length
      ? {}
      : { note: `${all.length - parsed.length} of ${all.length} requests have no answer and are not sent` }),
  };
}

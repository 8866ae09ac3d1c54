/**
 * A recorded measurement of a real engine, as its file states it. Only recorded values appear; units are in the names.
 * Fields that nothing here reads are kept out of the way, not refused: sources record more than we predict.
 */
import { z } from "zod";
import { explained } from "../../catalog/explain.ts";
import { nearest } from "../../catalog/nearest.ts";

/** More than anybody measured, and as much as is replayed within minutes: beyond it a number is a slip. */
export const MOST_REQUESTS = 1_000_000;
const tokens = z.number().positive().max(10_000_000);
const count = z.int().min(1).max(MOST_REQUESTS);
const perS = z.number().min(1e-6).max(MOST_REQUESTS);
const seconds = z.number().positive().max(10_000_000);

const KnownLengths = z.discriminatedUnion("dist", [
  z.looseObject({ dist: z.literal("constant"), value: tokens }),
  z
    .looseObject({ dist: z.literal("uniform-int"), min: tokens.min(1), max: tokens.min(1) })
    .refine(({ min, max }) => min <= max, { path: ["max"], message: "expected at least min" }),
  z.looseObject({ dist: z.literal("mean-only"), mean: tokens }),
  z.looseObject({ dist: z.literal("trace"), mean: tokens.optional() }),
]);
/** How each is written. */
const LENGTH_FORMS: Readonly<Record<string, string>> = {
  constant: '{"dist": "constant", "value": 512}',
  "uniform-int": '{"dist": "uniform-int", "min": 1, "max": 1024}',
  "mean-only": '{"dist": "mean-only", "mean": 300}',
  trace: '{"dist": "trace"}',
};
/** A length distribution; one that cannot be read is kept too, so that the case can be refused by what is wrong with it. */
const NamedLengths = z
  .looseObject({ dist: z.string() })
  .transform((value) => KnownLengths.safeParse(value).data ?? { dist: "unknown" as const, reason: whyUnknown(value) });

function whyUnknown(value: Readonly<Record<string, unknown>> & { readonly dist: string }): string {
  const { dist } = value;
  const form = LENGTH_FORMS[dist];
  if (form === undefined) {
    const meant = nearest(dist, Object.keys(LENGTH_FORMS));
    const hint = meant === null ? `known: ${Object.keys(LENGTH_FORMS).join(", ")}` : `did you mean "${meant}"?`;
    return `the distribution ${dist} is not known (${hint})`;
  }
  const { error } = KnownLengths.safeParse(value, { reportInput: true });
  const { path, message } = explained(KnownLengths, error!.issues, value)[0]!;
  const other = Object.keys(value).filter((key) => !form.includes(`"${key}"`));
  const unread = other.length === 0 ? "" : `, and ${other.join(", ")} is not read`;
  return `${[`the distribution ${dist}`, ...path, message].join(": ")}${unread}; it is written as ${form}`;
}

/** A bare number of tokens means that number each time. */
const Lengths = z.union([tokens.transform((value) => ({ dist: "constant" as const, value })), NamedLengths]);
export type CaseLengths = z.infer<typeof Lengths>;

/**
 * Prompts that share their beginnings: `groups` system prompts, each with `usersPerGroup` users who ask their question
 * under it. Users take turns. In `multiTurn` each question follows the whole conversation of its user before it.
 */
const Prefix = z.looseObject({
  groups: count.default(1),
  usersPerGroup: count.optional(),
  systemTokens: Lengths.optional(),
  questionTokens: Lengths.optional(),
  multiTurn: z.boolean().default(false),
});

const Stage = z.looseObject({ ratePerS: perS, durationS: seconds });

const Load = z.looseObject({
  kind: z.string(),
  ratePerS: perS.optional(),
  arrivalCv: z
    .number()
    .max(100)
    .refine((cv) => cv === 0 || cv >= 0.01, "expected 0 or at least 0.01")
    .optional(),
  /** The same in vLLM's words: the shape of the Gamma law, 1 ÷ cv². */
  burstiness: z.number().min(0.0001).max(10_000).optional(),
  stages: z.array(Stage).min(1).optional(),
  concurrency: z.number().min(1).max(100_000).optional(),
  maxConcurrency: z.number().min(1).max(100_000).optional(),
  requests: count.optional(),
  durationS: seconds.optional(),
  warmupRequests: z.int().min(0).max(MOST_REQUESTS).optional(),
  inputTokens: Lengths.optional(),
  outputTokens: Lengths.optional(),
  sharedPrefixTokens: z.number().min(0).max(10_000_000).optional(),
  prefix: Prefix.optional(),
  requestsFile: z.string().min(1).optional(),
});

/** What is known of a load. */
export const LOAD_FIELDS: readonly string[] = Object.keys(Load.shape);

const EngineOptions = z.looseObject({
  maxNumSeqs: z.int().min(1).max(65_536).optional(),
  maxNumBatchedTokens: z.int().min(1).optional(),
  longPrefillTokenThreshold: z.int().min(0).optional(),
  gpuMemoryFraction: z.number().positive().max(1).optional(),
  blockTokens: z.int().min(1).optional(),
  kvBlocks: z.int().min(1).optional(),
  prefixCaching: z.boolean().optional(),
  chunkedPrefill: z.boolean().optional(),
  maxModelLen: z.int().min(1).optional(),
  usableMemoryGiB: z.number().positive().optional(),
  speculativeTokens: z.int().min(0).optional(),
  /** Probability that a draft is accepted if those before it were. */
  speculativeAcceptance: z.number().gt(0).lt(1).optional(),
});

/** Options of an engine that are known. */
export const OPTION_FIELDS: readonly string[] = Object.keys(EngineOptions.shape);

/** Other names of the engines that were fitted. */
const ENGINE_ALIASES: Readonly<Record<string, string>> = {
  tensorrtllm: "trtllm",
  trtllm: "trtllm",
  vllm: "vllm",
  sglang: "sglang",
};

function plainEngine(name: string): string {
  return ENGINE_ALIASES[name.toLowerCase().replace(/[-_ ]/g, "")] ?? name;
}

/** Replicas that only prefill, or only decode; some sources write 0 for "not used". */
const Side = z.object({
  workers: count.default(1),
  tp: count.default(1),
  pp: z.int().min(0).default(1),
  dp: z.int().min(0).default(1),
  ep: z.int().min(0).default(1),
});

const RecordedCase = z.looseObject({
  id: z.string().min(1),
  source: z.string().default("source not stated"),
  licence: z.string().default("not stated"),
  role: z.enum(["calibration", "validation"]),
  gpu: z.string(),
  gpus: count.optional(),
  tp: count.default(1),
  // Some sources write 0 for "not used".
  pp: z.int().min(0).default(1),
  ep: z.int().min(0).default(1),
  dp: z.int().min(0).default(1),
  replicas: count.default(1),
  router: z.string().optional(),
  disaggregated: z.object({ prefill: Side, decode: Side }).optional(),
  /** Link between the GPUs, such as `nvlink4` or `pcie5`. */
  interconnect: z.string().optional(),
  model: z.string(),
  /** Its config.json, for a model that the catalogue does not have. */
  hfConfig: z.unknown().optional(),
  weightDtype: z.string(),
  kvDtype: z.string().optional(),
  engine: z.string().transform(plainEngine),
  engineVersion: z
    .string()
    .transform((version) => version.replace(/^v(?=\d)/, ""))
    .default(""),
  engineOptions: EngineOptions.default({}),
  load: Load,
  measured: z.record(z.string(), z.unknown()),
  /** One element for each of the load's stages. */
  measuredByStage: z.array(z.record(z.string(), z.unknown())).optional(),
  /** Cases of one group are compared with each other: their order is to be predicted. */
  compareGroup: z.string().optional(),
  tags: z.array(z.string()).default([]),
});

export type RecordedCase = z.infer<typeof RecordedCase>;

/** What is known of a case; the last two are for people. */
export const CASE_FIELDS: readonly string[] = [...Object.keys(RecordedCase.shape), "asOf", "caveats"];
/** Those that every case has, so that no other name was meant to be one of them. */
export const NEEDED_FIELDS: readonly string[] = [
  "id",
  "role",
  "gpu",
  "model",
  "weightDtype",
  "engine",
  "load",
  "measured",
];

/** A case, or why an element of a case file is none. */
export type ParsedCase =
  | { readonly ok: true; readonly case: RecordedCase }
  | { readonly ok: false; readonly id: string; readonly reason: string };

function isCaseLike(value: unknown): boolean {
  return typeof value === "object" && value !== null && "measured" in value && "load" in value;
}

/**
 * The cases of one parsed JSON file: an array of them, an object with that array as `cases`, or one case; null when it holds none
 * (a case has `measured` and `load`).
 */
export function parseCaseFile(file: string, value: unknown): readonly ParsedCase[] | null {
  const elements = isCaseLike(value) ? [value] : hasCases(value) ? value.cases : value;
  if (!Array.isArray(elements) || !elements.some(isCaseLike)) return null;
  return elements.map((element: unknown, index) => parseCase(`${file}[${index}]`, element));
}

/** The cases of a file with one JSON value a line; null when no line is one. A line that cannot be read is refused by its number. */
export function parseCaseLines(file: string, text: string): readonly ParsedCase[] | null {
  let found = false;
  const parsed = text.split(/\r?\n/).flatMap((line, index): ParsedCase[] => {
    if (line.trim() === "") return [];
    const name = `${file} line ${index + 1}`;
    try {
      const value = JSON.parse(line) as unknown;
      found ||= isCaseLike(value);
      return [parseCase(name, value)];
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return [{ ok: false, id: name, reason: `not a case: the line is no JSON: ${error.message}` }];
    }
  });
  return found ? parsed : null;
}

function hasCases(value: unknown): value is { readonly cases: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value) && "cases" in value;
}

/** `name`: of an element that names itself not. */
function parseCase(name: string, element: unknown): ParsedCase {
  const parsed = RecordedCase.safeParse(element, { reportInput: true });
  if (parsed.success) return { ok: true, case: parsed.data };
  const named = typeof element === "object" && element !== null && "id" in element ? element.id : undefined;
  const { path, message } = explained(RecordedCase, parsed.error.issues, element)[0]!;
  return {
    ok: false,
    id: typeof named === "string" ? named : name,
    reason: `not a case: ${[...path, message].join(": ")}`,
  };
}

/** The numbers among recorded values, by metric. */
export function numbersOf(values: Readonly<Record<string, unknown>>): Readonly<Record<string, number>> {
  const numbers: Record<string, number> = {};
  for (const [metric, value] of Object.entries(values))
    if (typeof value === "number" && Number.isFinite(value)) numbers[metric] = value;
  return numbers;
}

/** Mean of a length distribution in tokens; null where only a trace would tell. */
export function meanTokens(lengths: CaseLengths): number | null {
  switch (lengths.dist) {
    case "constant":
      return lengths.value;
    case "uniform-int":
      return (lengths.min + lengths.max) / 2;
    case "mean-only":
      return lengths.mean;
    case "trace":
      return lengths.mean ?? null;
    case "unknown":
      return null;
  }
}

/** Prompt and answer together in the mean, where the load tells. */
export function meanRequest(recorded: RecordedCase): { readonly requestTokens?: number } {
  const { inputTokens, outputTokens } = meanLengths(recorded);
  return inputTokens === null || outputTokens === null ? {} : { requestTokens: inputTokens + outputTokens };
}

/** Null where the load does not tell. Answers end at `maxModelLen`. */
export function meanLengths({ load, engineOptions }: RecordedCase): {
  inputTokens: number | null;
  outputTokens: number | null;
} {
  const inputTokens = load.inputTokens === undefined ? null : meanTokens(load.inputTokens);
  const outputTokens = load.outputTokens === undefined ? null : meanTokens(load.outputTokens);
  const room = (engineOptions.maxModelLen ?? Infinity) - (inputTokens ?? 0);
  return { inputTokens, outputTokens: outputTokens === null || room < 1 ? outputTokens : Math.min(outputTokens, room) };
}

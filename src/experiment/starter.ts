/**
 * The experiment that `crossover init` writes: a commented file to start from, either of the recorded chat workload or
 * sized for the workload that is described. Rates per second, lengths in tokens, the peak over 5-minute bins.
 */
import { gpuPriceFact } from "../catalog/pool-facts.ts";
import { find } from "../catalog/catalog.ts";
import type { Catalog, CatalogEntry, CatalogKind } from "../catalog/schema.ts";
import { DAY_S, epochSOfIso, isoDate, secondOfWeek } from "../kernel/calendar-time.ts";
import { ConfigError, type Problem } from "../kernel/errors.ts";
import { exp, log, normalCdf } from "../kernel/math.ts";
import { smallestParallelSize } from "./resolve-engine.ts";
import { gpuSpec, llmSpec } from "./resolve-pool.ts";

/** What the user says of the workload. */
export interface Workload {
  readonly requestsPerDay: number;
  /** Mean lengths. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** 99.9th percentile of the rate over 5-minute bins ÷ mean rate. */
  readonly peakToMean: number;
  readonly model: string;
  readonly gpu: string;
  /** Share of requests that may not leave the boundary, 0 to 1. */
  readonly restrictedShare: number;
  /** What recorded totals add; without it there is no growth and the profile is that of recorded chat traffic. */
  readonly recorded?: Recorded;
}

/** What is known of a workload from totals of the past. */
export interface Recorded {
  /** Fraction a month. */
  readonly growthPerMonth: number;
  /** Weekly profile that stands in the user's own catalogue; null: the shipped one. */
  readonly season: Season | null;
  /** What the API strategies take: `provider/model@tier`. */
  readonly offer: string;
  /** For the head of the file: what was derived and what was assumed. */
  readonly comments: readonly string[];
}

/** Rate over mean rate by hour of the week, and the id under which the catalogue has it. */
export interface Season {
  readonly id: string;
  readonly hourOfWeek: readonly number[];
}

const PRESET = "chat-azure-2023";
export const DEFAULT_OFFER = "openai/gpt-5-mini@tier-5";
const TEAM = "ready";
const SEASON = "azure-llm-2024-conv";
/** What a described workload leaves open. */
export const WORKLOAD_DEFAULTS = {
  peakToMean: 2,
  model: "llama-3.3-70b",
  gpu: "h100-sxm",
  restrictedShare: 0,
} as const;

/** Shapes of length distributions of recorded chat traffic (sigma of the logarithm, Azure 2023), rounded. */
const INPUT_SIGMA = 1;
const OUTPUT_SIGMA = 0.9;
/** Longest request of a class as a multiple of its mean: 99.9 % of a lognormal with sigma 1 lie below 14 times its mean. */
const LONGEST = 16;
/** Correlation time of the fluctuation that makes the asked peak. */
const BURST_TAU_S = 1800;
const BIN_S = 300;
const PEAK_RANK = 0.999;
const PEAK_TO_MEAN_MAX = 40;
/** What is less than this below 1 would leave the open class a share of 0. */
const RESTRICTED_STEP = 1e-6;
/** A mean above this share of the longest length would bend the lognormal into another shape. */
const MEAN_OF_LONGEST = 0.5;

const SIMULATED_REQUESTS = 20e6;
const WEEK_DAYS = 7;
/** Of these a run can still count those of the shortest experiment, a quarter of a day. */
const MOST_A_DAY = 5_000_000_000;

/** A starter for the recorded chat workload. Throws a ConfigError when the catalogue lacks what it needs. */
export function starterExperiment(catalog: Catalog): string {
  const preset = mustFind(catalog, "traffic", PRESET, "traffic preset");
  const longest = 16_384; // beyond the longest recorded request
  const traffic = [
    `  preset: ${preset.id} # lengths, bursts and weekly profile; crossover catalog traffic`,
    `  requestsPerS: ${preset.meanRatePerS} # mean rate at the start`,
    `  growthPerMonth: 0 # 0.05 = 5 % a month`,
  ];
  return compose(catalog, {
    id: "my-workload",
    title: "A chat product",
    traffic,
    pool: choosePool(catalog, WORKLOAD_DEFAULTS.model, WORKLOAD_DEFAULTS.gpu, longest),
    offer: DEFAULT_OFFER,
    restrictedShare: 0.2,
    days: 14,
  });
}

type Said = { readonly [K in keyof Workload]?: Workload[K] | undefined };

/** What cannot be of what is said of a workload, by the options that say it. */
export function workloadProblems(said: Said, catalog: Catalog): Problem[] {
  const problems: Problem[] = [];
  const between = (value: number | undefined, option: string, least: number, most: number, message: string): void => {
    if (value !== undefined && !(value >= least && value <= most)) problems.push({ path: [option], message });
  };
  const known = (kind: "llms" | "gpus", name: string | undefined, option: string): void => {
    const found = name === undefined ? null : find(catalog, kind, name);
    if (found?.ok === false) problems.push(missed(found, option));
  };
  between(
    said.requestsPerDay,
    "--requests-per-day",
    0.001,
    MOST_A_DAY,
    `expected a number from 0.001 to ${MOST_A_DAY}`,
  );
  between(said.inputTokens, "--input", 1, Infinity, "expected at least 1");
  between(said.outputTokens, "--output", 1, Infinity, "expected at least 1");
  between(said.peakToMean, "--peak-to-mean", 1, PEAK_TO_MEAN_MAX, `expected a number from 1 to ${PEAK_TO_MEAN_MAX}`);
  between(said.restrictedShare, "--restricted", 0, 1, "expected a number from 0 to 1");
  known("llms", said.model, "--model");
  known("gpus", said.gpu, "--gpu");
  return problems;
}

/** An experiment for this workload. Throws a ConfigError with everything about it that cannot be. */
export function experimentFor(workload: Workload, catalog: Catalog): string {
  const problems = workloadProblems(workload, catalog);
  if (problems.length > 0) throw new ConfigError(problems);

  const meanRatePerS = workload.requestsPerDay / DAY_S;
  const { longestInput, longestOutput, cut } = longestOf(
    workload,
    mustFind(catalog, "llms", workload.model, "--model"),
  );
  const { recorded } = workload;
  const season = recorded?.season ?? shippedSeason(catalog);
  const days = daysOf(workload.requestsPerDay);
  const peak = peakShape(workload.peakToMean, days < WEEK_DAYS ? null : season.hourOfWeek, meanRatePerS);
  const components = peak.cv === 0 ? "[]" : `[{ cv: ${rounded(peak.cv)}, tauS: ${BURST_TAU_S} }]`;
  const traffic = [
    ...(recorded?.comments ?? []).map((comment) => `  # ${comment.replace(/\s+/g, " ")}`),
    `  requestsPerS: ${rounded(meanRatePerS, 8)} # ${grouped(workload.requestsPerDay)} a day`,
    `  growthPerMonth: ${recorded === undefined ? 0 : rounded(recorded.growthPerMonth, 3)} # 0.05 = 5 % a month`,
    `  # The busiest 5-minute bins (99.9th percentile) are to be ${workload.peakToMean} times the mean. ${peak.how}`,
    `  season: ${peak.season ? season.id : "flat"}`,
    `  burst: { components: ${components}, gapCv: 1 }`,
    `  # Lognormal lengths with the means you gave; the spread is that of recorded chat traffic (assumed).${cut}`,
    `  input: { kind: lognormal, meanTokens: ${workload.inputTokens}, sigma: ${INPUT_SIGMA}, minTokens: 1, maxTokens: ${longestInput} }`,
    `  output: { kind: lognormal, meanTokens: ${workload.outputTokens}, sigma: ${OUTPUT_SIGMA}, minTokens: 1, maxTokens: ${longestOutput} }`,
  ];
  return compose(catalog, {
    id: "my-workload",
    title: `${grouped(workload.requestsPerDay)} requests a day`,
    traffic,
    pool: choosePool(catalog, workload.model, workload.gpu, longestInput + longestOutput),
    offer: recorded?.offer ?? DEFAULT_OFFER,
    restrictedShare: workload.restrictedShare,
    days,
  });
}

/** Days that a run can count: one or two whole weeks, or what a busy service leaves of one. */
function daysOf(requestsPerDay: number): number {
  const days = Math.floor((4 * SIMULATED_REQUESTS) / requestsPerDay) / 4;
  return days >= WEEK_DAYS ? WEEK_DAYS * Math.min(2, Math.floor(days / WEEK_DAYS)) : Math.max(0.25, days);
}

/** The longest prompt and answer, which the model's context cuts. Throws a ConfigError when that leaves too little. */
function longestOf({ inputTokens, outputTokens }: Workload, { id, maxContext }: CatalogEntry<"llms">) {
  const meanTokens = inputTokens + outputTokens;
  if (meanTokens > MEAN_OF_LONGEST * maxContext) {
    const message = `requests of ${grouped(meanTokens)} tokens in the mean fill more than half of the context of ${id}, ${grouped(maxContext)}: their spread does not fit`;
    const hint =
      "a model with a longer context; or shorter lengths here, and lengths of your own (input, output) in the file";
    throw new ConfigError([{ path: ["--model"], message, hint }]);
  }
  const multiple = Math.min(LONGEST, maxContext / meanTokens);
  const whole = multiple === LONGEST ? Math.ceil : Math.floor;
  return {
    longestInput: whole(inputTokens * multiple),
    longestOutput: whole(outputTokens * multiple),
    cut: multiple === LONGEST ? "" : ` The context of ${id} cuts the longest.`,
  };
}

/** The profile that a workload gets unless it has its own. Throws a ConfigError when the catalogue lacks it. */
export function shippedSeason(catalog: Catalog): Season {
  const { id, hourOfWeek } = mustFind(catalog, "seasons", SEASON, "season");
  return { id, hourOfWeek };
}

interface PeakShape {
  /** With the weekly profile; without it the peak is lower than that profile's own. */
  readonly season: boolean;
  /** Coefficient of variation of the log-Gaussian intensity. */
  readonly cv: number;
  readonly how: string;
}

/**
 * The fluctuation that gives the asked peak. The rate is season × exp(x − σ²/2) with normal x, so the share of bins above
 * q is the mean over the week's hours s of 1 − Φ((ln(q/s) + σ²/2)/σ); σ is what puts 0.1 % above the peak. The chance of
 * single arrivals at the peak adds 1/(requests per bin) to σ², and the mean over a bin takes bin/(3 tau) off it.
 * Without a profile (null, for less than a week: its hours would not have the week's mean and peak) the fluctuation gives all.
 */
export function peakShape(peakToMean: number, hourOfWeek: readonly number[] | null, meanRatePerS: number): PeakShape {
  const chance = 1 / (meanRatePerS * BIN_S * peakToMean);
  for (const factors of [hourOfWeek, [1]]) {
    if (factors === null) continue;
    const sigma = sigmaForPeak(peakToMean, factors);
    const variance = sigma === null ? -1 : (sigma * sigma - chance) / (1 - BIN_S / (3 * BURST_TAU_S));
    if (variance <= 0) continue;
    const season = factors === hourOfWeek;
    const fluctuation = `a fluctuation of ${BURST_TAU_S / 60} minutes`;
    const how = season
      ? `The weekly profile gives ${rounded(Math.max(...factors))}, ${fluctuation} the rest.`
      : `${hourOfWeek === null ? "Less than a week has no weekly profile" : "A weekly profile alone would exceed that"}, so ${fluctuation} gives it.`;
    return { season, cv: Math.sqrt(exp(variance) - 1), how };
  }
  return { season: false, cv: 0, how: "The chance of single arrivals alone gives that or more." };
}

/** σ whose bins exceed `peak` with probability 0.1 %; null when the factors alone do. */
function sigmaForPeak(peak: number, factors: readonly number[]): number | null {
  if (Math.max(...factors) >= peak) return null;
  const above = (sigma: number): number => {
    const total = factors.reduce(
      (sum, factor) => sum + 1 - normalCdf((log(peak / factor) + (sigma * sigma) / 2) / sigma),
      0,
    );
    return total / factors.length;
  };
  let low = 1e-4;
  let high = 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (above(middle) < 1 - PEAK_RANK) low = middle;
    else high = middle;
  }
  return high;
}

interface PoolChoice {
  readonly llm: string;
  readonly gpu: string;
  readonly weightDtype: "bf16" | "fp8";
  readonly tensorParallelSize: number;
  readonly gpuPrice: string;
}

/** FP8 weights where the GPU computes in FP8, the fewest GPUs that hold the longest request, a seller of middling price. */
function choosePool(catalog: Catalog, model: string, gpuName: string, longestTokens: number): PoolChoice {
  const llmEntry = mustFind(catalog, "llms", model, "--model");
  const gpuEntry = mustFind(catalog, "gpus", gpuName, "--gpu");
  const profile = mustFind(catalog, "engines", "vllm", "engine");
  const weightDtype = gpuEntry.fp8DenseTflops === null ? "bf16" : "fp8";
  const parts = { gpu: gpuSpec(gpuEntry), llm: llmSpec(llmEntry), profile };
  const tensorParallelSize = smallestParallelSize(parts, { weightDtype }, longestTokens);
  if (tensorParallelSize === null) {
    const message = `${llmEntry.id} in ${weightDtype} does not fit on up to 8 GPUs of ${gpuEntry.id} with a request of ${longestTokens} tokens`;
    throw new ConfigError([{ path: ["--gpu"], message, hint: "a GPU with more memory, or a smaller model" }]);
  }
  const sellers = [...catalog.gpuPrices.values()]
    .filter(
      (price) => price.pricing === "on_demand" && price.sellerClass !== "index" && price.sellerClass !== "reference",
    )
    .flatMap((price) => {
      const found = gpuPriceFact(catalog, gpuEntry.id, price.id, tensorParallelSize);
      return found.ok ? [{ id: price.id, usdPerGpuHour: found.value.usdPerGpuHour }] : [];
    })
    .sort((a, b) => a.usdPerGpuHour - b.usdPerGpuHour || (a.id < b.id ? -1 : 1));
  const middle = sellers[Math.floor((sellers.length - 1) / 2)];
  if (middle === undefined) {
    const message = `no seller of the catalogue has ${gpuEntry.id} on demand in nodes of ${tensorParallelSize} or more`;
    throw new ConfigError([{ path: ["--gpu"], message, hint: "crossover catalog gpu-prices lists them" }]);
  }
  return { llm: llmEntry.id, gpu: gpuEntry.id, weightDtype, tensorParallelSize, gpuPrice: middle.id };
}

function mustFind<K extends CatalogKind>(catalog: Catalog, kind: K, name: string, option: string): CatalogEntry<K> {
  const found = find(catalog, kind, name);
  if (found.ok) return found.value;
  throw new ConfigError([missed(found, option)]);
}

function missed({ message, hint }: { readonly message: string; readonly hint?: string }, option: string): Problem {
  return { path: [option], message, ...(hint === undefined ? {} : { hint }) };
}

interface Parts {
  readonly id: string;
  readonly title: string;
  readonly traffic: readonly string[];
  readonly pool: PoolChoice;
  readonly offer: string;
  readonly restrictedShare: number;
  readonly days: number;
}

function compose(catalog: Catalog, { id, title, traffic, pool, offer, restrictedShare, days }: Parts): string {
  const clockS = epochSOfIso(catalog.asOf)!; // the catalogue has checked its date
  const monday = isoDate(clockS - secondOfWeek(clockS));
  const slo = "{ ttftMs: 3000, tpotMs: 80, target: 0.99 }";
  const openShare = 1 - restrictedShare < RESTRICTED_STEP ? 0 : 1 - restrictedShare;
  const { llm, gpu, weightDtype, tensorParallelSize, gpuPrice } = pool;
  const own = `own: { llm: ${llm}, gpu: ${gpu}, weightDtype: ${weightDtype}, tensorParallelSize: ${tensorParallelSize}, replicas: auto, warmReplicas: 1, gpuPrice: ${gpuPrice} }`;
  const route = (open: string, restricted: string): string => {
    const routes = [
      ...(openShare > 0 ? [`open: [${open}]`] : []),
      ...(restrictedShare > 0 ? [`restricted: [${restricted}]`] : []),
    ];
    return `{ ${routes.join(", ")} }`;
  };
  const lines = [
    `# An experiment: one workload, several ways to serve it. Check it with "crossover check", run it with "crossover run".`,
    `# Every field with its meaning, unit and default: "crossover schema". Names of models, GPUs, offers: "crossover catalog".`,
    `id: ${id}`,
    `title: ${title}`,
    `question: Run it on an API provider, on our own GPUs, or on both?`,
    `# Write down what you expect before the first run, and what came out after it:`,
    `# prediction: ...`,
    `# finding: ...`,
    ``,
    `asOf: ${catalog.asOf} # prices and ages are of this day`,
    `start: ${monday}T00:00:00Z # a Monday`,
    `days: ${days}`,
    `warmupMinutes: 30`,
    `seed: 1`,
    `replications: 3 # with fewer than 10 the verdict is only indicative`,
    ``,
    `# Classes share the traffic. Restricted content may not leave your boundary, whatever an API would cost.`,
    `# A target that the business depends on says strict: true in its slo; others are reported and do not decide the verdict.`,
    `classes:`,
    ...(openShare > 0 ? [`  - { name: open, share: ${rounded(openShare, 6)}, sensitivity: none, slo: ${slo} }`] : []),
    ...(restrictedShare > 0
      ? [`  - { name: restricted, share: ${restrictedShare}, sensitivity: restricted, slo: ${slo} }`]
      : []),
    ``,
    `traffic:`,
    ...traffic,
    ``,
    `client: openai-node # how the calling SDK retries`,
    ``,
    `# The people who would run own GPUs: a preset, or six levels from 0 to 4.`,
    `team: { preset: ${TEAM}, region: us }`,
    ``,
    `strategies:`,
    `  api-first:`,
    `    offers: { api: ${offer} } # take the offer that meets your quality, and the tier of your account`,
    `    routes: ${route("api", "api")}`,
    `  self-hosted:`,
    `    pools:`,
    `      # ${tensorParallelSize} GPU${tensorParallelSize === 1 ? " holds" : "s hold"} the model and the longest request; auto: the fewest replicas that meet the targets.`,
    `      ${own}`,
    `    routes: ${route("own", "own")}`,
    // With nothing open a hybrid would be the strategy above.
    ...(openShare > 0
      ? [
          `  hybrid:`,
          `    pools:`,
          `      ${own}`,
          `    offers: { api: ${offer} }`,
          `    # The open class goes on to the API while a replica has 32 requests in flight.`,
          `    routes: ${route("{ to: own, overflowInFlightPerReplica: 32 }, api", "own")}`,
        ]
      : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** Four significant digits unless told otherwise. */
function rounded(value: number, digits = 4): number {
  return Number(value.toPrecision(digits));
}

/** 400,000 */
function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

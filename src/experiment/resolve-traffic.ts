/**
 * Traffic: a preset with single values replaced, a fully inline description, or the replay of a recording. Rates per
 * second, lengths in tokens, times in seconds.
 */
import type { CatalogEntry } from "../catalog/schema.ts";
import { replayOf } from "./replay-of.ts";
import type { Recording } from "../scenario/recorded-trace.ts";
import { exp, log, normalCdf } from "../kernel/math.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import { presetSessions, resolveSessions } from "./resolve-sessions.ts";
import type {
  ClassLengths,
  LengthDistribution,
  MaxOutputRule,
  ReplayTraffic,
  ResolvedTraffic,
  SessionSpec,
  SyntheticTraffic,
} from "../scenario/resolved.ts";
import { MAX_OUTPUT_DEFAULT, MAX_OUTPUT_PROVENANCE } from "./schema.ts";
import type { ClassFile, ExperimentFile, LengthFile } from "./schema.ts";
import { burstOf, resolveRateFactors, scaledBurst, withDrift, type Period } from "./resolve-rate-factors.ts";
import { rateFactorFields } from "./schema-traffic.ts";

type TrafficFile = ExperimentFile["traffic"];
type Preset = CatalogEntry<"traffic">;

const SYNTHETIC_ONLY = [
  "preset",
  "requestsPerS",
  "growthPerMonth",
  "season",
  "burst",
  "input",
  "output",
  "spearman",
].concat(Object.keys(rateFactorFields));

/** Word for a week without a season. */
const FLAT = "flat";

/** Null when what the file says leaves no traffic; the problems are in `resolution` then. */
export function resolveTraffic(
  resolution: Resolution,
  file: TrafficFile,
  classes: readonly ClassFile[],
  recording: Recording | null,
  period: Period,
): ResolvedTraffic | null {
  if (file.replay === undefined) return synthetic(resolution, file, classes, period);
  classes.forEach((_, c) => {
    for (const field of ["input", "output"])
      if (resolution.declared(["classes", c, field]))
        resolution.problem(["classes", c, field], "has no effect in a replay, where lengths are the recorded ones");
    if (recording?.reasoningTokens !== undefined && resolution.declared(["classes", c, "reasoning"]))
      resolution.problem(
        ["classes", c, "reasoning"],
        "the recording says what of each answer was thinking (reasoningTokens): only one of the two can count",
        "leave it out, or import the recording without that column",
      );
  });
  return replay(resolution, file, file.replay, classes, recording);
}

function replay(
  resolution: Resolution,
  file: TrafficFile,
  { file: name, turns }: NonNullable<TrafficFile["replay"]>,
  classes: readonly ClassFile[],
  recording: Recording | null,
): ReplayTraffic | null {
  for (const field of [...SYNTHETIC_ONLY, "sessions"]) {
    if (resolution.declared(["traffic", field])) {
      resolution.problem(
        ["traffic", field],
        "has no effect in a replay, where times and lengths are the recorded ones",
        "leave it out, or leave replay out",
      );
    }
  }
  if (recording === null) {
    resolution.problem(
      ["traffic", "replay", "file"],
      "no such recording",
      "the path counts from the folder of this file",
    );
    return null;
  }
  if (recording.arrivalS.length === 0) {
    resolution.problem(["traffic", "replay", "file"], "the recording holds no request");
    return null;
  }
  resolution.from("traffic", "file");
  resolution.from("traffic.kind", "derived");
  const rules = {
    classes: classes.map(({ name, share }) => ({ name, shareFraction: share })),
    maxOutput: maxOutput(resolution, file, null),
    ownLimits: ["factor", "minTokens"].some((field) => resolution.declared(["traffic", "maxOutput", field])),
  };
  const { waits, ...traffic } = replayOf(name, recording, rules, (message) => resolution.warn(message));
  if (waits === undefined && resolution.declared(["traffic", "replay", "turns"]))
    resolution.warn("the recording says of no request what it waited for: traffic.replay.turns has no effect");
  return { ...traffic, ...(waits === undefined || turns === "as-recorded" ? {} : { waits }) };
}

function synthetic(
  resolution: Resolution,
  file: TrafficFile,
  classes: readonly ClassFile[],
  period: Period,
): SyntheticTraffic | null {
  const preset = file.preset === undefined ? null : resolution.find("traffic", file.preset, ["traffic", "preset"]);
  if (file.preset === undefined) {
    const needed = (["requestsPerS", "input", "output"] as const).filter((field) => file[field] === undefined);
    for (const field of needed) {
      resolution.problem(
        ["traffic", field],
        "is missing: traffic without a preset or replay needs requestsPerS, input and output",
        presetHint(resolution),
      );
    }
    if (needed.length > 0) return null;
  } else if (preset === null) return null;

  const input = file.input === undefined ? undefined : resolveLength(resolution, file.input, ["traffic", "input"]);
  const output = file.output === undefined ? undefined : resolveLength(resolution, file.output, ["traffic", "output"]);
  if (input === null || output === null) return null;
  /** The file's own value, else the preset's, else what stands for absence. */
  const pick = <K extends "burst" | "input" | "output" | "spearman">(
    field: K,
    own: SyntheticTraffic[K] | undefined,
    absent: SyntheticTraffic[K],
  ): SyntheticTraffic[K] => {
    if (own === undefined && preset !== null) resolution.useEntry("traffic", preset, [field]);
    resolution.fromFile(`traffic.${field}`, ["traffic", field], preset === null ? "default" : `preset:${preset.id}`);
    if (own !== undefined || preset === null || field === "burst") return own ?? absent;
    return preset[field] as SyntheticTraffic[K];
  };
  if (file.requestsPerS === undefined && preset !== null) resolution.useEntry("traffic", preset, ["meanRatePerS"]);
  resolution.from("traffic.kind", "derived");
  resolution.fromFile("traffic.meanRatePerS", ["traffic", "requestsPerS"], `preset:${preset?.id ?? ""}`);
  resolution.fromFile("traffic.growthFractionPerMonth", ["traffic", "growthPerMonth"]);
  const season = seasonOf(resolution, file.season, preset);
  if (season === null) return null;
  const factors = resolveRateFactors(resolution, file, preset, season.timeZone, period);
  if (factors === null) return null;
  const meanRatePerS = file.requestsPerS ?? preset?.meanRatePerS ?? 0;
  const presetBurst = preset === null ? undefined : scaledBurst(resolution, preset, meanRatePerS);
  if (file.drift === undefined && preset?.drift) resolution.useEntry("traffic", preset, ["drift"]);
  const unset: LengthDistribution = { kind: "constant", tokens: 1 }; // never taken: without a preset both lengths are given
  const shared = { input: pick("input", input, unset), output: pick("output", output, unset) };
  const classLengths = lengthsOfClasses(resolution, classes, shared);
  if (classLengths === null) return null;
  const first = input === undefined ? (preset?.sessions?.firstInput ?? shared.input) : shared.input;
  const sessions = sessionsOf(resolution, file, preset, first, classLengths);
  if (sessions === null) return null;
  return {
    kind: "synthetic",
    meanRatePerS,
    growthFractionPerMonth: file.growthPerMonth,
    hourOfWeek: season.hourOfWeek,
    burst: withDrift(
      pick("burst", file.burst && burstOf(file.burst), presetBurst ?? { components: [], gapCv: 1 }),
      file.drift ?? preset?.drift,
    ),
    ...(factors === undefined ? {} : { factors }),
    ...shared,
    ...(sessions === undefined ? {} : { input: first }),
    spearman: pick("spearman", file.spearman, 0),
    maxOutput: maxOutput(resolution, file, preset),
    ...(classLengths === undefined ? {} : { classLengths }),
    ...(sessions === undefined ? {} : { sessions }),
  };
}

/** The file's sessions, else the preset's; undefined where every request stands alone, null after a problem. */
function sessionsOf(
  resolution: Resolution,
  { sessions: own }: TrafficFile,
  preset: Preset | null,
  input: LengthDistribution,
  classLengths: readonly ClassLengths[] | undefined,
): SessionSpec | undefined | null {
  if (own === "none") {
    if (preset?.sessions === undefined)
      resolution.problem(["traffic", "sessions"], "is none already: the traffic has no preset with sessions");
    return undefined;
  }
  if (own !== undefined) {
    if (classLengths === undefined)
      return resolveSessions(resolution, own, input, (length, path) => resolveLength(resolution, length, path));
    resolution.problem(
      ["traffic", "sessions"],
      "sessions have the lengths of the traffic: leave input and output of the classes out",
    );
    return null;
  }
  if (preset?.sessions === undefined) return undefined;
  if (classLengths === undefined) return presetSessions(resolution, preset, preset.sessions, input);
  resolution.warn(
    `classes have lengths of their own: the sessions of the preset ${preset.id} are left out, every request stands alone`,
  );
  return undefined;
}

/** Undefined where no class has lengths of its own, null after a problem. */
function lengthsOfClasses(
  resolution: Resolution,
  classes: readonly ClassFile[],
  shared: ClassLengths,
): readonly ClassLengths[] | undefined | null {
  if (classes.every(({ input, output }) => input === undefined && output === undefined)) return undefined;
  const lengths = classes.map((file, c) => {
    const of = (field: "input" | "output"): LengthDistribution | null => {
      const path = ["classes", c, field];
      resolution.fromFile(`traffic.classLengths.${c}.${field}`, path, "derived");
      return file[field] === undefined ? shared[field] : resolveLength(resolution, file[field], path);
    };
    return { input: of("input"), output: of("output") };
  });
  const known = lengths.filter((one): one is ClassLengths => one.input !== null && one.output !== null);
  return known.length === lengths.length ? known : null;
}

function maxOutput(resolution: Resolution, file: TrafficFile, preset: Preset | null): MaxOutputRule {
  const fields = ["factor", "minTokens"] as const;
  const [factor, minTokens] = fields.map((field) => {
    const own = file.maxOutput[field];
    const at = `traffic.maxOutput.${field}`;
    resolution.fromFile(at, ["traffic", "maxOutput", field], preset === null ? "default" : `preset:${preset.id}`);
    if (own !== undefined) return own;
    if (preset !== null) {
      resolution.useEntry("traffic", preset, [`maxOutput.${field}`]);
      return preset.maxOutput[field];
    }
    resolution.useValue(
      `experiment/traffic/maxOutput/${field}`,
      `max_tokens that clients send: ${field}`,
      MAX_OUTPUT_DEFAULT[field],
      field,
      MAX_OUTPUT_PROVENANCE,
    );
    return MAX_OUTPUT_DEFAULT[field];
  });
  return { factor: factor!, minTokens: minTokens! };
}

function presetHint(resolution: Resolution): string {
  return `traffic presets: ${[...resolution.catalog.traffic.keys()].join(", ")}`;
}

interface Season {
  readonly hourOfWeek: readonly number[] | null;
  readonly timeZone?: string | undefined;
}

/** Null after a problem. */
function seasonOf(resolution: Resolution, name: string | undefined, preset: Preset | null): Season | null {
  const at = "traffic.hourOfWeek";
  const wanted = name ?? preset?.season ?? FLAT;
  if (wanted === FLAT) {
    resolution.from(at, name !== undefined ? "file" : preset === null ? "default" : `preset:${preset.id}`);
    return { hourOfWeek: null };
  }
  const entry = resolution.find("seasons", wanted, ["traffic", "season"]);
  if (entry === null) return null;
  resolution.from(at, `catalogue:seasons/${entry.id}`);
  resolution.useEntry("seasons", entry, ["hourOfWeek"]);
  return { hourOfWeek: entry.hourOfWeek, timeZone: entry.timeZone };
}

/** Checks a length of the file and gives it the form of the generator; null after a problem. */
function resolveLength(resolution: Resolution, length: LengthFile, path: Path): LengthDistribution | null {
  switch (length.kind) {
    case "constant":
      return length;
    case "lognormal":
      return resolveLognormal(resolution, length, path);
    case "quantiles": {
      const { percentiles, tokens } = length;
      const rising = (values: readonly number[], least: number): boolean =>
        values.every((value, i) => i === 0 || value - values[i - 1]! >= least);
      if (percentiles.length !== tokens.length) {
        resolution.problem(
          [...path, "tokens"],
          `${tokens.length} lengths for ${percentiles.length} percentiles: one each is needed`,
        );
      } else if (!rising(percentiles, Number.MIN_VALUE) || percentiles[0] !== 0 || percentiles.at(-1) !== 100) {
        resolution.problem([...path, "percentiles"], "must rise from 0 to 100");
      } else if (!rising(tokens, 0)) {
        resolution.problem([...path, "tokens"], "must not fall");
      } else if (!(tokens.at(-1)! > 0)) {
        resolution.problem([...path, "tokens"], "are all zero");
      } else return length;
      return null;
    }
  }
}

function resolveLognormal(
  resolution: Resolution,
  length: Extract<LengthFile, { kind: "lognormal" }>,
  path: Path,
): LengthDistribution | null {
  const { medianTokens, meanTokens, sigma, minTokens, maxTokens } = length;
  if (minTokens > maxTokens) {
    resolution.problem([...path, "minTokens"], `minTokens ${minTokens} is above maxTokens ${maxTokens}`);
    return null;
  }
  if ((medianTokens === undefined) === (meanTokens === undefined)) {
    resolution.problem(
      path,
      "a lognormal length needs either medianTokens or meanTokens",
      meanTokens === undefined ? undefined : "leave one of them out",
    );
    return null;
  }
  if (medianTokens !== undefined) return { kind: "lognormal", medianTokens, sigma, minTokens, maxTokens };
  const median = medianOfMean(meanTokens!, sigma, minTokens, maxTokens);
  if (median === null) {
    resolution.problem(
      [...path, "meanTokens"],
      `no lognormal cut to ${minTokens}–${maxTokens} tokens has the mean ${meanTokens}`,
    );
    return null;
  }
  return { kind: "lognormal", medianTokens: median, sigma, minTokens, maxTokens };
}

/** Mean of exp(ln median + sigma·Z) cut to [low, high]. */
export function meanOfCutLognormal(median: number, sigma: number, low: number, high: number): number {
  if (sigma === 0) return Math.min(high, Math.max(low, median));
  const mu = log(median);
  const a = (log(low) - mu) / sigma;
  const b = (log(high) - mu) / sigma;
  const inside = exp(mu + (sigma * sigma) / 2) * (normalCdf(b - sigma) - normalCdf(a - sigma));
  return low * normalCdf(a) + inside + high * (1 - normalCdf(b));
}

/** The median whose cut lognormal has this mean, by bisection on the logarithm; null when the cut makes it impossible. */
function medianOfMean(mean: number, sigma: number, low: number, high: number): number | null {
  if (mean < low || mean > high) return null;
  if (sigma === 0) return mean;
  let from = log(low) - 10 * sigma;
  let to = log(high) + 10 * sigma;
  for (let i = 0; i < 100; i++) {
    const middle = (from + to) / 2;
    if (meanOfCutLognormal(exp(middle), sigma, low, high) < mean) from = middle;
    else to = middle;
  }
  const median = exp((from + to) / 2);
  return Math.abs(meanOfCutLognormal(median, sigma, low, high) - mean) < 1e-3 * mean ? median : null;
}

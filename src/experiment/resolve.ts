/**
 * From a checked experiment file and the catalogue to a resolved experiment: every name looked up, every default filled
 * in, every unit SI. All problems are collected and thrown together. Pure: recordings come in already read.
 */
import type { Catalog } from "../catalog/schema.ts";
import { DAY_S, epochSOfIso } from "../kernel/calendar-time.ts";
import { ConfigError } from "../kernel/errors.ts";
import { noteIdleEverywhere } from "./idle-options.ts";
import { readExperiment, type FieldSchema } from "./read.ts";
import { tooManyRequests } from "./request-bound.ts";
import { requestSizes } from "./request-size.ts";
import { resolveClasses } from "./resolve-classes.ts";
import { userRegions } from "./resolve-network.ts";
import { resolveClient } from "./resolve-client.ts";
import { noteDeclared } from "./resolve-declared.ts";
import type { Period } from "./resolve-rate-factors.ts";
import { resolveStrategy } from "./resolve-strategy.ts";
import { noPeople, resolvePeople, resolveTeam } from "./resolve-team.ts";
import { resolveTraffic } from "./resolve-traffic.ts";
import { Resolution, type Origins } from "./resolution.ts";
import type { Recording } from "../scenario/recorded-trace.ts";
import type { ResolvedExperiment, ResolvedStrategy, ResolvedTraffic } from "../scenario/resolved.ts";
import { experimentJsonSchema, type ExperimentFile } from "./schema.ts";

export interface ResolveOptions {
  /** Lifts the boundary rules: a labelled counterfactual. */
  readonly whatIfUnrestricted?: boolean;
  readonly seed?: string;
  readonly replications?: number;
  /** Mean rate of synthetic traffic instead of the file's, requests per second. */
  readonly requestsPerS?: number;
  /** Another time than the file's, for which all that has a date is resolved: a recorded period. UTC seconds. */
  readonly period?: { readonly startEpochS: number; readonly endEpochS: number };
  /** The recording that `traffic.replay` names; null when it could not be read. */
  readonly recording?: Recording | null;
}

export interface Resolved {
  readonly experiment: ResolvedExperiment;
  readonly origins: Origins;
}

/** Resolves the plain data of an experiment file. Throws a ConfigError with every problem of form and of meaning. */
export function resolveExperiment(raw: unknown, catalog: Catalog, options: ResolveOptions = {}): Resolved {
  const { experiment: declared, problems } = readExperiment(raw);
  if (declared === null) throw new ConfigError(problems);
  const { requestsPerS = declared.traffic.requestsPerS } = options;
  const file = { ...declared, traffic: { ...declared.traffic, requestsPerS } };
  const asOf = file.asOf ?? catalog.asOf;
  const resolution = new Resolution(
    catalog,
    raw,
    problems.map((problem) => problem.path),
    asOf,
    periodOf(file, options).startEpochS,
  );
  const experiment = assemble(resolution, file, asOf, options);
  const all = [...problems, ...resolution.problems];
  if (experiment === null || all.length > 0) throw new ConfigError(all);
  noteDeclared(resolution, experimentJsonSchema() as FieldSchema, raw, asOf);
  if (file.asOf !== undefined) resolution.noteLater(file.asOf);
  resolution.noteLaterPrices();
  return {
    experiment: { ...experiment, assumptions: resolution.assumptions(), warnings: resolution.warnings },
    origins: resolution.origins,
  };
}

function assemble(
  resolution: Resolution,
  file: ExperimentFile,
  asOf: string,
  options: ResolveOptions,
): Omit<ResolvedExperiment, "assumptions" | "warnings"> | null {
  const classes = resolveClasses(resolution, file.classes, file.traffic);
  const period = periodOf(file, options);
  const traffic = resolveTraffic(resolution, file.traffic, file.classes, options.recording ?? null, period);
  const client = resolveClient(resolution, file.client, ["client"], "client");
  const team = file.team === undefined ? null : resolveTeam(resolution, file.team);
  const { startEpochS } = period;
  const lengthS = file.days === undefined ? (recordedS(traffic) ?? DAY_S) : file.days * DAY_S;
  const endEpochS = options.period?.endEpochS ?? startEpochS + lengthS;
  const context = {
    classes,
    classFiles: file.classes,
    sizes: traffic === null ? null : requestSizes(traffic, classes),
    whatIfUnrestricted: options.whatIfUnrestricted ?? false,
    demand: traffic === null ? null : { traffic, startEpochS, horizonS: endEpochS - startEpochS },
    priceNeeded: file.team !== undefined,
    stepTimeError: file.stepTimeError,
    period: { startEpochS, endEpochS },
    userRegions: userRegions(resolution, file.classes, file.traffic),
  };
  const entries = Object.entries(file.strategies);
  if (entries.length === 0) resolution.problem(["strategies"], "at least one strategy is needed");
  const strategies = entries.map(([name, strategy], i) => resolveStrategy(resolution, name, strategy, i, context));
  const horizonS = resolveHorizon(resolution, file, traffic);
  if (traffic !== null && horizonS !== null) boundRequests(resolution, file, traffic, startEpochS, horizonS);
  noteOrigins(resolution, file, options);
  const teamMissing = team === null && file.team !== undefined;
  if (traffic === null || client === null || teamMissing || horizonS === null || strategies.includes(null)) return null;
  const people =
    file.team === undefined || team === null
      ? noPeople(resolution, strategies as ResolvedStrategy[])
      : resolvePeople(resolution, file.team, team, strategies as ResolvedStrategy[]);
  if (people === null) return null;
  const pools = (strategies as ResolvedStrategy[]).flatMap((strategy) => strategy.pools);
  if (pools.some(({ stepTimeError }) => stepTimeError !== null))
    resolution.warn(
      "stepTimeError is drawn: intervals are those of a run, not of the mean, because more replications cannot reduce the step-time model's own error",
    );
  const offers = (strategies as ResolvedStrategy[]).flatMap((strategy) => strategy.offers);
  const offersReadText = offers.some(({ promptCache }) => promptCache !== undefined);
  noteIdleEverywhere(resolution, file, pools, offersReadText);
  return {
    id: file.id,
    title: file.title,
    question: file.question,
    ...(file.prediction === undefined ? {} : { prediction: file.prediction }),
    ...(file.finding === undefined ? {} : { finding: file.finding }),
    asOf,
    startEpochS,
    horizonS,
    warmupS: file.warmupMinutes * 60,
    seed: options.seed ?? String(file.seed),
    replications: options.replications ?? file.replications,
    classes,
    traffic,
    client,
    strategies: strategies as ResolvedStrategy[],
    team,
    people,
    thresholds: file.decision,
  };
}

function periodOf(file: ExperimentFile, { period }: ResolveOptions): Period {
  const startEpochS = period?.startEpochS ?? epochSOfIso(file.start) ?? 0;
  const fromEpochS = startEpochS - file.warmupMinutes * 60;
  return { startEpochS, fromEpochS, toEpochS: period?.endEpochS ?? startEpochS + (file.days ?? 1) * DAY_S };
}

/** The declared days, or for a replay its length rounded up to a whole second. */
function resolveHorizon(resolution: Resolution, file: ExperimentFile, traffic: ResolvedTraffic | null): number | null {
  resolution.fromFile("horizonS", ["days"], "derived");
  const recorded = recordedS(traffic);
  if (file.days === undefined) {
    if (recorded === null && file.traffic.replay === undefined) {
      resolution.problem(["days"], "is missing: synthetic traffic has no end of its own", "for example days: 30");
    }
    return recorded;
  }
  const horizonS = file.days * DAY_S;
  if (recorded !== null && recorded > horizonS) {
    resolution.warn(`the recording is ${recorded} s long, only its first ${Math.round(horizonS)} s are replayed`);
  }
  // Requests that wait for others may come after the recorded end.
  const waits = traffic?.kind === "replay" && traffic.waits !== undefined;
  if (recorded !== null && recorded < horizonS && !waits) {
    resolution.warn(`the recording ends after ${recorded} s, the rest of the ${Math.round(horizonS)} s has no traffic`);
  }
  return horizonS;
}

/** The problem stands at the rate, where the file gives one. */
function boundRequests(
  resolution: Resolution,
  file: ExperimentFile,
  traffic: ResolvedTraffic,
  startEpochS: number,
  horizonS: number,
): void {
  const found = tooManyRequests(traffic, startEpochS, -file.warmupMinutes * 60, horizonS);
  if (found === null) return;
  const field = file.traffic.requestsPerS === undefined ? "preset" : "requestsPerS";
  resolution.problem(["traffic", field], found.message, found.hint);
}

/** Length of a recording in whole seconds; null for traffic that goes on. */
function recordedS(traffic: ResolvedTraffic | null): number | null {
  return traffic?.kind === "replay" ? Math.floor(traffic.arrivalS.at(-1)!) + 1 : null;
}

function noteOrigins(resolution: Resolution, file: ExperimentFile, options: ResolveOptions): void {
  for (const field of ["id", "title", "question"]) resolution.from(field, "file");
  for (const field of ["prediction", "finding"] as const) if (file[field] !== undefined) resolution.from(field, "file");
  resolution.fromFile("asOf", ["asOf"], "catalogue:catalog");
  resolution.from("startEpochS", "file");
  resolution.fromFile("warmupS", ["warmupMinutes"]);
  resolution.fromFile("seed", ["seed"]);
  resolution.fromFile("replications", ["replications"]);
  if (options.seed !== undefined) resolution.from("seed", "cli");
  if (options.requestsPerS !== undefined) resolution.from("traffic.meanRatePerS", "cli");
  if (options.replications !== undefined) resolution.from("replications", "cli");
  for (const field of Object.keys(file.decision)) resolution.fromFile(`thresholds.${field}`, ["decision", field]);
  for (const field of ["assumptions", "warnings"]) resolution.from(field, "derived");
}

/**
 * The conformance suite of scheduling policies: random scenarios through the naive executor and through the real replica,
 * walking and leaping. It catches a rule broken, a claim to leap that is not true, a policy that depends on what it must
 * not know, and an option that does nothing.
 */
import type { PolicyPlugin } from "../policies/policy.ts";
import { conformScenario, type Waits, waitsIn } from "./crowd.ts";
import { cached, drive, driveBesideAnother } from "./drive.ts";
import { type NaiveOutcome, walkNaively } from "./naive.ts";
import { type Fate, firstDifference, type Outcome } from "./outcome.ts";
import { type ConformScenario, isCrowd, withOption } from "./scenario.ts";

export type CheckId = "rules" | "length" | "repeat" | "oracle" | "leap";

/** What each check asks, in the order in which they are tried. */
export const CHECKS: Readonly<Record<CheckId, string>> = {
  rules: "every request ends once and in order; budget, seats and KV blocks hold; never idle with work",
  length: "with default options it never asks for the true length of an answer",
  repeat: "the same scenario twice gives the same times, also beside another replica",
  oracle:
    "every step walked gives the naive executor's times: nothing depends on request numbers or the order of waitingAt",
  leap: "leaping gives the times of every step walked: the claims of leap and wakes are true",
};

/** What is told of a scenario; its step times are functions, which its number and seed give again. */
export type ShownScenario = Pick<ConformScenario, "spec" | "scheduler" | "classes" | "requests">;

export interface Failure {
  /** Number that replays it; null when an option was being moved, which the whole suite alone does. */
  readonly scenario: number | null;
  readonly message: string;
  /** The scenario cut down to what still fails. */
  readonly small: ShownScenario;
  /** Times that differ, of the request that is named. */
  readonly differs: { readonly request: number; readonly expected: Fate | null; readonly found: Fate | null } | null;
}

export interface Conformance {
  readonly name: string;
  readonly kind: PolicyPlugin["kind"];
  readonly seed: string;
  readonly scenarios: number;
  readonly passed: boolean;
  readonly checks: Readonly<Record<CheckId, Failure | null>>;
  /** In how many scenarios each check was tried: a broken rule ends a scenario before the later ones. */
  readonly tried: Readonly<Record<CheckId, number>>;
  /** Whether moving the option changed a time in any scenario. */
  readonly options: readonly { readonly name: string; readonly moves: boolean }[];
  /** What the scenarios came to: a suite that never preempts proves little. */
  readonly reached: {
    readonly steps: number;
    readonly boundaries: number;
    readonly preemptions: number;
    readonly chunkedPrompts: number;
    readonly holds: number;
    readonly cancelled: number;
    /** Tokens: a policy that changes its mind beyond them was not tried. */
    readonly longestPrompt: number;
    readonly longestAnswer: number;
  };
  /** Most steps in a row in which a decoding sequence got no token: a bound seen, not proven. */
  readonly longestStall: number;
  /** Of the crowd with the longest wait beside the reference's: a figure to judge, since some orders starve by design. Null without a crowd. */
  readonly waits: Waits | null;
}

export interface ConformOptions {
  readonly seed: string;
  readonly scenarios: number;
  /** This scenario alone. */
  readonly only: number | null;
}

/** Where the suite is, for whoever ends it because the policy does not return. */
export interface ConformProgress {
  readonly soFar: Conformance;
  /** Under way; as in `Failure`. */
  readonly scenario: number | null;
  readonly shown: ShownScenario;
}

/** Scenarios in which each value of an option is tried. */
export const OPTION_SCENARIOS = 60;
/** What the two executors do not share; a policy that only keeps to the interface can see no other difference. */
const EXECUTORS_DIFFER =
  "in the naive executor and in the replica, which number requests differently and list waitingAt in another order";
const BESIDE_ANOTHER =
  "alone and beside another replica of the same policy: what it remembers must be made in create, for each replica its own";
/** Scenarios run while one is cut down. */
const MOST_CUTS = 400;

/** Runs the suite on a policy that is entered in the registry. `onProgress` hears of each scenario before it is tried. */
export function conform(
  plugin: PolicyPlugin,
  options: ConformOptions,
  onProgress: (progress: ConformProgress) => void = () => {},
): Conformance {
  const numbers = options.only === null ? Array.from({ length: options.scenarios }, (_, n) => n) : [options.only];
  const checks: Record<CheckId, Failure | null> = { rules: null, length: null, repeat: null, oracle: null, leap: null };
  const tried: Record<CheckId, number> = { rules: 0, length: 0, repeat: 0, oracle: 0, leap: 0 };
  const reached = {
    steps: 0,
    boundaries: 0,
    preemptions: 0,
    chunkedPrompts: 0,
    holds: 0,
    cancelled: 0,
    longestPrompt: 0,
    longestAnswer: 0,
  };
  let longestStall = 0;
  let waits: Waits | null = null;
  const passed = (): boolean => Object.values(checks).every((failure) => failure === null);
  const found = (moved: Conformance["options"] = []): Conformance => ({
    name: plugin.name,
    kind: plugin.kind,
    seed: options.seed,
    scenarios: numbers.length,
    passed: passed(),
    checks: { ...checks },
    tried: { ...tried },
    options: moved,
    reached: { ...reached },
    longestStall,
    waits,
  });
  const tell = (scenario: ConformScenario, number: number | null): void =>
    onProgress({ soFar: found(), scenario: number, shown: shown(scenario) });
  for (const number of numbers) {
    const scenario = conformScenario(plugin, options.seed, number);
    tell(scenario, number);
    const trial = tryScenario(plugin, scenario);
    for (const id of trial.tried) tried[id]++;
    for (const id of Object.keys(CHECKS) as CheckId[]) {
      const complaint = trial.failed[id];
      if (complaint === undefined || checks[id] !== null) continue;
      // Known uncut while it is cut down: a smaller scenario may be one in which the policy never returns.
      checks[id] = { scenario: number, ...complaint, small: shown(scenario) };
      tell(scenario, number);
      checks[id] = cutDown(plugin, scenario, id, complaint);
    }
    const { naive, leaping } = trial;
    if (naive === null) continue;
    longestStall = Math.max(longestStall, naive.longestStall);
    reached.chunkedPrompts += naive.chunkedPrompts;
    reached.holds += naive.holds;
    for (const { inputTokens, outputTokens } of scenario.requests) {
      reached.longestPrompt = Math.max(reached.longestPrompt, inputTokens);
      reached.longestAnswer = Math.max(reached.longestAnswer, outputTokens);
    }
    reached.cancelled += naive.fates.filter((fate) => fate?.kind === "cancelled").length;
    if (leaping === null) continue;
    reached.steps += leaping.steps;
    reached.boundaries += leaping.boundaries;
    reached.preemptions += leaping.preemptions;
    if (isCrowd(number) && Object.keys(trial.failed).length === 0) waits = longer(waits, waitsIn(scenario, leaping));
  }
  const moves = passed() && options.only === null;
  return found(moves ? optionsThatMove(plugin, options.seed, (scenario) => tell(scenario, null)) : []);
}

function longer(waits: Waits | null, others: Waits): Waits {
  return waits !== null && waits.ratio >= others.ratio ? waits : others;
}

/** What the suite has found when a call into the policy, told by `message`, does not return: nothing was tried after it. */
export function endedAt({ soFar, scenario, shown: small }: ConformProgress, message: string): Conformance {
  const { checks, tried } = soFar;
  const rules = checks.rules ?? { scenario, message, differs: null, small };
  const scenarios = scenario === null ? soFar.scenarios : tried.rules + 1;
  return {
    ...soFar,
    scenarios,
    passed: false,
    checks: { ...checks, rules },
    tried: { ...tried, rules: scenarios },
  };
}

function shown({ spec, scheduler, classes, requests }: ConformScenario): ShownScenario {
  return { spec, scheduler, classes, requests };
}

interface Complaint {
  readonly message: string;
  readonly differs: Failure["differs"];
}

interface Trial {
  readonly tried: readonly CheckId[];
  readonly failed: Partial<Record<CheckId, Complaint>>;
  readonly naive: NaiveOutcome | null;
  readonly leaping: Outcome | null;
}

function tryScenario(plugin: PolicyPlugin, scenario: ConformScenario): Trial {
  const failed: Partial<Record<CheckId, Complaint>> = {};
  const tried: CheckId[] = [];
  let naive: NaiveOutcome | null = null;
  let leaping: Outcome | null = null;
  // An exception fails the check under way; `how` says where it came.
  let underWay: CheckId = "rules";
  let how = "";
  const begin = (id: CheckId, where = ""): void => {
    if (!tried.includes(id)) tried.push(id);
    underWay = id;
    how = where;
  };
  try {
    // The naive executor goes first: it notices a schedule that never ends.
    begin("rules");
    naive = walkNaively(scenario);
    if (naive.broken.length > 0) failed.rules = { message: naive.broken[0], differs: null };
    if (failed.rules !== undefined) return { failed, tried, naive, leaping };
    const own = scenario.scheduler[plugin.kind];
    begin("length");
    if (naive.exactPredictions > 0 && Object.keys(own.options).length === 0)
      failed.length = { message: "it asks for predictions with sigma 0, which are the true lengths", differs: null };
    begin("oracle", "only the naive executor runs it: ");
    const walked = drive(scenario, true);
    begin("repeat");
    compare(
      failed,
      "repeat",
      walked,
      drive(scenario, true),
      "run twice: it depends on chance, a clock or earlier runs",
    );
    if (failed.repeat === undefined) compare(failed, "repeat", walked, driveBesideAnother(scenario), BESIDE_ANOTHER);
    // What differs between two equal runs differs from the executor and from a leap too, and says nothing about them.
    if (failed.repeat !== undefined) return { failed, tried, naive, leaping };
    compare(failed, "oracle", naive, walked, EXECUTORS_DIFFER);
    begin("leap", "only walked it runs: ");
    leaping = drive(scenario, false);
    compare(failed, "leap", walked, leaping, "walked and leapt");
    if (failed.leap !== undefined) return { failed, tried, naive, leaping };
    begin("rules", "with a prefix cache: ");
    const withCache = cached(scenario);
    const walkedCached = drive(withCache, true);
    begin("leap", "with a prefix cache, only walked it runs: ");
    compare(failed, "leap", walkedCached, drive(withCache, false), "walked and leapt, with a prefix cache");
  } catch (error) {
    failed[underWay] = { message: how + messageOf(error), differs: null };
  }
  return { failed, tried, naive, leaping };
}

function compare(failed: Trial["failed"], id: CheckId, expected: Outcome, found: Outcome, how: string): void {
  const request = firstDifference(expected, found);
  if (request === null) return;
  failed[id] = {
    message: `request ${request} fares differently ${how}`,
    differs: { request, expected: expected.fates[request] ?? null, found: found.fates[request] ?? null },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Leaves out requests, and then cancellations, as long as the check still fails. */
function cutDown(plugin: PolicyPlugin, scenario: ConformScenario, id: CheckId, first: Complaint): Failure {
  let small = scenario;
  let complaint = first;
  let left = MOST_CUTS;
  const takeIfFails = (requests: ConformScenario["requests"]): boolean => {
    if (left-- <= 0) return false;
    const candidate = { ...small, requests };
    const found = tryScenario(plugin, candidate).failed[id];
    if (found === undefined) return false;
    small = candidate;
    complaint = found;
    return true;
  };
  for (let smaller = true; smaller;) {
    smaller = false;
    for (let i = small.requests.length - 1; i >= 0 && small.requests.length > 1; i--)
      if (takeIfFails(small.requests.filter((_, at) => at !== i))) smaller = true;
  }
  for (let i = 0; i < small.requests.length; i++)
    if (small.requests[i].cancelS < Infinity)
      takeIfFails(small.requests.map((request, at) => (at === i ? { ...request, cancelS: Infinity } : request)));
  return { scenario: scenario.number, message: complaint.message, differs: complaint.differs, small: shown(small) };
}

/** Which options change a time somewhere, at their bounds or at half or twice the default. */
function optionsThatMove(
  plugin: PolicyPlugin,
  seed: string,
  tell: (scenario: ConformScenario) => void,
): Conformance["options"] {
  return Object.entries(plugin.options).map(([name, { min, max, default: preset, whole }]) => {
    const values = [min, max, preset / 2, preset * 2, (min + preset) / 2]
      .map((value) => (whole === true ? Math.round(value) : value))
      .filter((v) => v >= min && v <= max && v !== preset);
    let moves = false;
    for (let number = 0; number < OPTION_SCENARIOS && !moves; number++) {
      const scenario = conformScenario(plugin, seed, number);
      const unmoved = withOption(scenario, plugin, name, null);
      tell(unmoved);
      const before = drive(unmoved, false);
      moves = values.some((value) => {
        const moved = withOption(scenario, plugin, name, value);
        tell(moved);
        try {
          return firstDifference(before, drive(moved, false)) !== null;
        } catch {
          return false;
        }
      });
    }
    return { name, moves };
  });
}

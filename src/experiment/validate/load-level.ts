/** How loaded the recorded engine was, by what was measured of it: low, medium, high or overload. */
import { type RecordedCase, meanTokens, numbersOf } from "./case.ts";
import type { CaseMetrics } from "./metrics.ts";

/** `at once`: every request was there from the start. `start-up`: none. `unknown`: too little is recorded. */
export type LoadLevel = "low" | "medium" | "high" | "overload" | "at once" | "start-up" | "unknown";

const OVERLOAD_TAG = "overload";
/** Requests in flight at one replica. Assumed: about where decoding stops being bound by weights alone, and where it is bound by KV. */
const LOW_UP_TO = 8;
const MEDIUM_UP_TO = 64;

/**
 * By the mean number of requests in flight at one replica: a closed load's concurrency, else Little's law, requests a
 * second × seconds each. Overload is what the source tags so.
 *
 * A load of several stages counts as its most loaded one, where most of its requests and the tails of its percentiles come from: by what
 * was measured of each stage, else by the rate of the fastest and the times of the whole run.
 */
export function loadLevel(recorded: RecordedCase): LoadLevel {
  const { load, measured } = recorded;
  if (load.kind === "startup") return recorded.tags.includes(OVERLOAD_TAG) ? "overload" : "start-up";
  if (load.kind === "offline") return recorded.tags.includes(OVERLOAD_TAG) ? "overload" : "at once";
  if (load.kind === "closed") return levelOf(recorded, load.concurrency ?? NaN);
  const whole = numbersOf(measured);
  if (load.stages === undefined)
    return levelOf(recorded, inFlight(recorded, whole, whole["requestsPerS"] ?? load.ratePerS ?? NaN));
  const fastest = Math.max(...load.stages.map(({ ratePerS }) => ratePerS));
  const known = [...stagesInFlight(recorded), inFlight(recorded, whole, fastest)].filter(Number.isFinite);
  return levelOf(recorded, known.length === 0 ? NaN : Math.max(...known));
}

/** The same of each stage that was measured on its own. */
export function stageLevels(recorded: RecordedCase): readonly LoadLevel[] {
  return stagesInFlight(recorded).map((requests) => levelOf(recorded, requests));
}

function levelOf({ tags, replicas }: RecordedCase, requests: number): LoadLevel {
  if (tags.includes(OVERLOAD_TAG)) return "overload";
  if (!Number.isFinite(requests)) return "unknown";
  const each = requests / replicas;
  return each <= LOW_UP_TO ? "low" : each <= MEDIUM_UP_TO ? "medium" : "high";
}

function stagesInFlight(recorded: RecordedCase): readonly number[] {
  const { load, measuredByStage = [] } = recorded;
  return measuredByStage.map((stage, i) => {
    const measured = numbersOf(stage);
    return inFlight(recorded, measured, measured["requestsPerS"] ?? load.stages?.[i]?.ratePerS ?? NaN);
  });
}

/** Little's law; NaN where too little is measured. */
function inFlight({ load }: RecordedCase, m: CaseMetrics, requestsPerS: number): number {
  const outputTokens = load.outputTokens === undefined ? null : meanTokens(load.outputTokens);
  const gapMs = m["tpotMsMean"] ?? m["itlMsMean"] ?? m["tpotMsP50"] ?? NaN;
  const ttftMs = m["ttftMsMean"] ?? m["ttftMsP50"] ?? NaN;
  const e2eMs = m["e2eMsMean"] ?? m["e2eMsP50"] ?? ttftMs + gapMs * ((outputTokens ?? NaN) - 1);
  return (requestsPerS * e2eMs) / 1000;
}

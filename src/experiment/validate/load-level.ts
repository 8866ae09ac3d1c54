/** How loaded the recorded engine was, by what was measured of it: low, medium, high or overload. */
import { type RecordedCase, meanTokens, numbersOf } from "./case.ts";

/** `at once`: every request was there from the start. `start-up`: none. `unknown`: too little is recorded. */
export type LoadLevel = "low" | "medium" | "high" | "overload" | "at once" | "start-up" | "unknown";

const OVERLOAD_TAG = "overload";
/** Requests in flight at one replica. Assumed: about where decoding stops being bound by weights alone, and where it is bound by KV. */
const LOW_UP_TO = 8;
const MEDIUM_UP_TO = 64;

/**
 * By the mean number of requests in flight at one replica: a closed load's concurrency, else Little's law, requests a
 * second × seconds each. Overload is what the source tags so.
 */
export function loadLevel(recorded: RecordedCase): LoadLevel {
  const { load, tags, replicas } = recorded;
  if (tags.includes(OVERLOAD_TAG)) return "overload";
  if (load.kind === "startup") return "start-up";
  if (load.kind === "offline") return "at once";
  const inFlight = load.kind === "closed" ? (load.concurrency ?? NaN) : littlesLaw(recorded);
  if (!Number.isFinite(inFlight)) return "unknown";
  const each = inFlight / replicas;
  return each <= LOW_UP_TO ? "low" : each <= MEDIUM_UP_TO ? "medium" : "high";
}

/** NaN where the source records too little. */
function littlesLaw({ load, measured }: RecordedCase): number {
  const m = numbersOf(measured);
  const outputTokens = load.outputTokens === undefined ? null : meanTokens(load.outputTokens);
  const gapMs = m["tpotMsMean"] ?? m["itlMsMean"] ?? m["tpotMsP50"] ?? NaN;
  const e2eMs = m["e2eMsMean"] ?? m["e2eMsP50"] ?? (m["ttftMsMean"] ?? NaN) + gapMs * ((outputTokens ?? NaN) - 1);
  return ((m["requestsPerS"] ?? load.ratePerS ?? NaN) * e2eMs) / 1000;
}

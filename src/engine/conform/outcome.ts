/** What came of each request of a conformance scenario, whoever ran it, and how two such outcomes compare. Seconds. */
import type { ConformScenario } from "./scenario.ts";

export interface Fate {
  readonly kind: "completed" | "cancelled";
  readonly endS: number;
  /** NaN when no token came out. */
  readonly firstTokenS: number;
}

export interface Outcome {
  /** By request; undefined for one that never ended. */
  readonly fates: readonly (Fate | undefined)[];
  readonly steps: number;
  /** Step boundaries that were visited. */
  readonly boundaries: number;
  readonly preemptions: number;
}

export interface OutsideEvent {
  readonly timeS: number;
  readonly request: number;
  readonly cancels: boolean;
}

/** Arrivals and cancellations in order of time; at one instant arrivals first, then by request. */
export function outsideEvents({ requests }: ConformScenario): OutsideEvent[] {
  const events: OutsideEvent[] = [];
  requests.forEach(({ arrivalS, cancelS }, request) => {
    events.push({ timeS: arrivalS, request, cancels: false });
    if (cancelS < Infinity) events.push({ timeS: cancelS, request, cancels: true });
  });
  return events.sort((a, b) => a.timeS - b.timeS || Number(a.cancels) - Number(b.cancels) || a.request - b.request);
}

/** The first request that fared differently, by more than 1e-9 of its time; null when none did. */
export function firstDifference(a: Outcome, b: Outcome): number | null {
  const near = (x: number, y: number): boolean =>
    Object.is(x, y) || Math.abs(x - y) <= 1e-9 * Math.max(1, Math.abs(x), Math.abs(y));
  const at = a.fates.findIndex((one, request) => {
    const other = b.fates[request];
    if (one === undefined || other === undefined) return one !== other;
    return one.kind !== other.kind || !near(one.endS, other.endS) || !near(one.firstTokenS, other.firstTokenS);
  });
  return at < 0 ? null : at;
}

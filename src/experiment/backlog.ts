/** Whether a strategy keeps up with what is sent: if not, what is measured depends on how long one looks. */
import { Sketch } from "../kernel/sketch.ts";
import type { ClassResult } from "../outcome/run-result.ts";
import type { ResolvedExperiment, ResolvedStrategy } from "../scenario/resolved.ts";
import { estimateOrNull } from "./estimate.ts";
import type { RunOutcome } from "./run-one.ts";
import { mergeClasses } from "./merge-classes.ts";

/** Of the requests sent, in the mean over replications: fewer may be chance. */
const BACKLOG_FRACTION = 0.01;

/**
 * Share of the requests sent that were not completed, less those that a steady queue has in flight: the rate of completion ×
 * the mean time in the system (Little's law). NaN where nothing was sent.
 */
export function backlog({ totals, e2eS }: Pick<ClassResult, "totals" | "e2eS">, horizonS: number): number {
  const { sent, completed } = totals;
  const steady = completed === 0 ? 0 : (completed / horizonS) * Sketch.fromPlain(e2eS).mean();
  return (sent - completed - steady) / sent;
}

/** The backlog grows: latencies depend on how long one looks, and count only those that got through. */
export function isOverloaded(meanBacklog: number): boolean {
  return meanBacklog > BACKLOG_FRACTION;
}

/** A sentence about the strategies that leave requests waiting at the end of their runs; none where all keep up. `outcomes` by strategy index. */
export function backlogWarnings(
  { strategies, horizonS }: ResolvedExperiment,
  outcomes: readonly (readonly RunOutcome[])[],
): string[] {
  const behind = strategies.flatMap((strategy, s) => {
    if (strategy.offers.some(isDeferred)) return [];
    const waiting = estimateOrNull(outcomes[s]!.map(({ run }) => waitingShare(mergeClasses(run.classes), horizonS)));
    return waiting === null || !isOverloaded(waiting.mean)
      ? []
      : [`${strategy.name} (${(100 * waiting.mean).toFixed(0)} %)`];
  });
  if (behind.length === 0) return [];
  return [
    `overloaded: ${behind.join(", ")}. So much of what was sent still waits at the end, beyond what a steady queue has in flight; latencies are of the requests that got through, and grow with the time that is simulated`,
  ];
}

/** As `backlog`, of what has not ended: the others had their end. */
function waitingShare(all: ClassResult, horizonS: number): number {
  const { sent } = all.totals;
  const ended = sent - all.inFlightAtHorizon;
  return backlog(all, horizonS) - (ended - all.totals.completed) / sent;
}

/** Batch jobs wait by design, for up to a day. */
function isDeferred({ form }: ResolvedStrategy["offers"][number]): boolean {
  return form?.kind === "batch";
}

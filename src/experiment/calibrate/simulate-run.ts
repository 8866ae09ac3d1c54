/** Runs the requests of a benchmark through one replica. Engine-clock times, seconds. */
import { EngineMeter, type ReplicaSink } from "../../engine/meter.ts";
import { Replica } from "../../engine/replica.ts";
import { RequestTable } from "../../engine/request-table.ts";
import { DEFAULT_SCHEDULER } from "../../engine/scheduler-spec.ts";
import { withStepAhead } from "../../engine/step-ahead.ts";
import { Sketch } from "../../kernel/sketch.ts";
import type { RunLoad } from "./load.ts";
import type { Constants } from "./parameters.ts";
import { type Target, stepTimeOf } from "./target.ts";

/** Simulated times of the requests of a load, seconds. */
export interface RunTimes {
  readonly sentS: Float64Array;
  readonly firstTokenS: Float64Array;
  readonly lastTokenS: Float64Array;
}

/**
 * Sends requests in order, none before its arrival and only while fewer than the load's `concurrency` are in flight. API
 * overhead is not in the times, but a client that waits for an answer waits for it too before it sends the next.
 */
export function simulateRun({ arrivals, concurrency }: RunLoad, target: Target, constants: Constants): RunTimes {
  const stepTime = stepTimeOf(target, constants);
  const betweenS = constants["apiOverheadMs"]! / 1000;
  const { inputTokens, outputTokens } = arrivals;
  const count = inputTokens.length;
  const sentS = new Float64Array(count);
  const firstTokenS = new Float64Array(count);
  const lastTokenS = new Float64Array(count);
  const table = new RequestTable();
  /** When places became free, rising. */
  const freeS = Array.from({ length: Math.min(concurrency, count) }, () => 0);
  const sink: ReplicaSink = {
    completed(slot) {
      const request = table.ordinal[slot]!;
      firstTokenS[request] = table.firstTokenS[slot]!;
      lastTokenS[request] = table.lastTokenS[slot]!;
      table.release(slot);
      freeS.push(lastTokenS[request]! + betweenS);
    },
    dropped: (slot) => table.release(slot),
    lost: (slot) => table.release(slot),
  };
  const made = new Replica(target.engine, stepTime, table, sink, new EngineMeter([new Sketch()]), 1);
  const replica = withStepAhead(made, target.engine, DEFAULT_SCHEDULER, table, sink.lost);
  let next = 0;
  const dueS = (): number =>
    next < count && next < freeS.length ? Math.max(freeS[next]!, arrivals.arrivalS[next]!) : Infinity;
  for (;;) {
    const nowS = Math.min(replica.dueS, dueS());
    if (nowS === Infinity) break;
    if (replica.dueS === nowS) replica.finish();
    // Of one instant, all are in before a step is formed.
    while (dueS() === nowS) {
      const slot = table.take();
      table.ordinal[slot] = next;
      table.attemptS[slot] = nowS;
      table.classIndex[slot] = 0;
      table.inputTokens[slot] = inputTokens[next]!;
      table.outputTokens[slot] = outputTokens[next]!;
      sentS[next++] = nowS;
      replica.enqueue(slot);
    }
    if (replica.atBoundary) replica.form();
  }
  return { sentS, firstTokenS, lastTokenS };
}

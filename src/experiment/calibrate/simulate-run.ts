/** Runs the requests of a benchmark through one replica. Engine-clock times, seconds. */
import { EngineMeter, type ReplicaSink } from "../../engine/meter.ts";
import { Replica } from "../../engine/replica.ts";
import { RequestTable } from "../../engine/request-table.ts";
import type { StepTime } from "../../engine/step-time.ts";
import { Sketch } from "../../kernel/sketch.ts";
import type { CaseTimes } from "../validate/metrics.ts";
import { simulateCase } from "../validate/simulate-case.ts";
import type { RunLoad } from "./load.ts";
import type { Constants } from "./parameters.ts";
import { type Target, stepTimeOf } from "./target.ts";

/** Times under these constants; API overhead is not in them, but a client that waits for an answer waits for it too. */
export function simulateRun(load: RunLoad, target: Target, constants: Constants): CaseTimes {
  const stepTime = stepTimeOf(target, constants);
  if (load.concurrency === Infinity) return simulateCase({ engine: target.engine, stepTime, arrivals: load.arrivals });
  return simulateInFlight(load, target, stepTime, constants["apiOverheadMs"]! / 1000);
}

/**
 * Sends requests in order while fewer than `concurrency` are in flight and none before its arrival. `betweenS` passes from
 * the last token of one to the sending of the next.
 */
function simulateInFlight(
  { arrivals, concurrency }: RunLoad,
  target: Target,
  stepTime: StepTime,
  betweenS: number,
): CaseTimes {
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
  const meter = new EngineMeter([new Sketch()]);
  const replica = new Replica(target.engine, stepTime, table, sink, meter, 1);
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
  return { arrivalS: sentS, firstTokenS, lastTokenS, preemptions: meter.preemptions };
}

/** Runs the requests of a recorded case through one replica of the engine. Engine-clock times, seconds. */
import { Replica } from "../../engine/replica.ts";
import { EngineMeter, type ReplicaSink } from "../../engine/meter.ts";
import { RequestTable } from "../../engine/request-table.ts";
import { Sketch } from "../../kernel/sketch.ts";
import type { CaseSimulator } from "./predict.ts";

export const simulateCase: CaseSimulator = ({ engine, stepTime, arrivals }) => {
  const { arrivalS, inputTokens, outputTokens } = arrivals;
  const firstTokenS = new Float64Array(arrivalS.length).fill(NaN);
  const lastTokenS = new Float64Array(arrivalS.length).fill(NaN);
  const table = new RequestTable();
  const sink: ReplicaSink = {
    completed(slot) {
      const request = table.ordinal[slot];
      firstTokenS[request] = table.firstTokenS[slot];
      lastTokenS[request] = table.lastTokenS[slot];
      table.release(slot);
    },
    dropped: (slot) => table.release(slot),
    lost: (slot) => table.release(slot),
  };
  const meter = new EngineMeter([new Sketch()]);
  const replica = new Replica(engine, stepTime, table, sink, meter, 1);
  const capacity = engine.kvBlocks * engine.blockTokens;
  let next = 0;
  for (;;) {
    const nowS = Math.min(replica.dueS, next < arrivalS.length ? arrivalS[next] : Infinity);
    if (nowS === Infinity) break;
    if (replica.dueS === nowS) replica.finish();
    // All arrivals of one instant are in before a step is formed.
    for (; next < arrivalS.length && arrivalS[next] === nowS; next++) {
      // A request that can never fit stays unfinished, which refuses the case.
      if (inputTokens[next] + outputTokens[next] - 1 > capacity) continue;
      const slot = table.take();
      table.ordinal[slot] = next;
      table.attemptS[slot] = nowS;
      table.classIndex[slot] = 0;
      table.inputTokens[slot] = inputTokens[next];
      table.outputTokens[slot] = outputTokens[next];
      replica.enqueue(slot);
    }
    if (replica.atBoundary) replica.form();
  }
  return { arrivalS, firstTokenS, lastTokenS, preemptions: meter.preemptions };
};

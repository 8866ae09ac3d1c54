/** The whole fleet loop on a pool of one replica under the real step-time physics, against the naive stepper. */
import { expect, test } from "vitest";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import { createStepTime } from "../../src/engine/step-time-physics.ts";
import { stream } from "../../src/kernel/random.ts";
import { exponential } from "../../src/kernel/samplers.ts";
import { COMPLETED, TIMED_OUT } from "../../src/outcome/recorder.ts";
import {
  listTraffic,
  pool,
  requestClass,
  RowList,
  runOptions,
  setting,
  strategy,
  to,
  type ListedRequest,
} from "../fixtures/strategies.ts";
import { stepThrough } from "./naive-stepper.ts";

/** Two classes, one impatient; bursts of arrivals that fill the batch and the KV cache. */
function arrivals(name: string, count: number, meanGapS: number): ListedRequest[] {
  const draw = stream("engine-fleet", 0, name);
  let timeS = 0;
  return Array.from({ length: count }, () => {
    timeS += meanGapS * exponential(draw) * (draw() < 0.8 ? 0.2 : 4.2);
    return {
      timeS,
      inputTokens: 1 + Math.floor(1200 * draw()),
      outputTokens: 1 + Math.floor(500 * draw() * draw()),
      classIndex: draw() < 0.5 ? 0 : 1,
    };
  });
}

test.each([
  { name: "below capacity, over several hours", count: 600, meanGapS: 20, engine: {} },
  { name: "at capacity, short of KV blocks", count: 600, meanGapS: 0.35, engine: { kvBlocks: 150 } },
  {
    name: "long prompts in short chunks",
    count: 400,
    meanGapS: 0.5,
    engine: { maxNumBatchedTokens: 64, longPrefillTokenThreshold: 40 },
  },
])("$name: the same times, preemptions and integrals", ({ name, count, meanGapS, engine }) => {
  const requests = arrivals(name, count, meanGapS);
  const classes = [
    requestClass({ name: "patient", shareFraction: 0.5, timeoutS: 1000 }),
    requestClass({ name: "impatient", shareFraction: 0.5, timeoutS: 2.5 }),
  ];
  const horizonS = Math.ceil(requests[count - 1]!.timeS) + 1500;
  const spec = pool({ replicas: 1, networkS: 0, engine: { ...engine, apiOverheadMs: 0 } });
  const rows = new RowList();
  const result = simulateRun(
    setting({ classes, horizonS }),
    strategy([[to("pool")], [to("pool")]], [spec]),
    listTraffic(requests),
    runOptions({ replicas: [1], rows }),
  );

  const naive = stepThrough({
    spec: spec.engine,
    stepTime: createStepTime(spec.gpu, spec.llm, spec.engine, spec.coefficients),
    requests: requests.map(({ timeS, inputTokens, outputTokens, classIndex }) => ({
      arrivalS: timeS,
      inputTokens,
      outputTokens,
      cancelS: timeS + classes[classIndex!]!.timeoutS,
    })),
    failuresS: [],
    booksS: [],
  });
  const { reached } = naive;
  expect(reached.cancelledWaiting + reached.cancelledRunning).toBeGreaterThan(5);
  if (engine.kvBlocks !== undefined) expect(naive.counts.preemptions).toBeGreaterThan(20);

  expect(rows.list).toHaveLength(count);
  for (const { request, sentS, outcome, ttftS, e2eS, tpotS } of rows.list) {
    const fate = naive.fates[request]!;
    expect(outcome, `outcome of ${request}`).toBe(fate.kind === "completed" ? COMPLETED : TIMED_OUT);
    if (fate.kind !== "completed") continue;
    const scale = 1 / fate.timeS;
    expect(Math.abs(sentS + ttftS - fate.firstTokenS) * scale, `first token of ${request}`).toBeLessThan(1e-9);
    expect(Math.abs(sentS + e2eS - fate.timeS) * scale, `last token of ${request}`).toBeLessThan(1e-9);
    const output = requests[request]!.outputTokens;
    // INV-3 and the definition of TPOT.
    expect(ttftS).toBeGreaterThan(0);
    expect(e2eS).toBeGreaterThanOrEqual(ttftS);
    if (output > 1) expect(tpotS * (output - 1)).toBeCloseTo(e2eS - ttftS, 9);
  }

  const pooled = result.pools[0]!;
  const integrals = naive.integrals[0]!;
  const { maxNumSeqs, kvBlocks, blockTokens } = spec.engine;
  expect(pooled.preemptions).toBe(naive.counts.preemptions);
  expect((pooled.busyH * 3600) / integrals.busyS).toBeCloseTo(1, 9);
  expect((pooled.occupancyFraction * horizonS * maxNumSeqs) / integrals.sequenceS).toBeCloseTo(1, 9);
  expect((pooled.kvFraction * horizonS * kvBlocks * blockTokens) / integrals.kvTokenS).toBeCloseTo(1, 9);
});

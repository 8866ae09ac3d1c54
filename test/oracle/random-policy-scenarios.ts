/**
 * Random small scenarios over everything a scheduler can be told: batching, queue order, preemption, admission, prefix cache,
 * drafts and role. Scenario n is a function of n alone; its batching and order go round with n, the rest is drawn. One in three
 * lies on a grid of binary fractions, as in `random-scenarios.ts`.
 */
import type { ClassTraits } from "../../src/engine/request-facts.ts";
import type { SchedulerSpec } from "../../src/engine/scheduler-spec.ts";
import { stream, type Draw } from "../../src/kernel/random.ts";
import { exponential } from "../../src/kernel/samplers.ts";
import { FINE_GRID_S, GRID_S, oneOf, randomStepTime, whole } from "./random-scenarios.ts";
import { engineSpec, type PolicyRequest, type PolicyScenario } from "./scenario.ts";

export const BATCHINGS = ["chunked", "continuous", "static", "dynamic"] as const;
export const ORDERS = ["fcfs", "priority", "edf", "shortest-prompt", "predicted-shortest", "fair-share"] as const;

function optionsOfBatching(name: string, draw: Draw): Record<string, number> {
  const size = whole(draw, 1, 8);
  const waitMs = oneOf(draw, [0, 16, 200, 1600]) * GRID_S * 1000;
  if (name === "static") return { batchSize: size, timeoutMs: waitMs };
  return name === "dynamic" ? { maxBatchSize: size, maxQueueDelayMs: waitMs } : {};
}

function optionsOfOrder(name: string, draw: Draw): Record<string, number> {
  if (name === "shortest-prompt") return { agingTokensPerS: oneOf(draw, [0, 16, 400]) };
  if (name === "predicted-shortest") return { sigma: oneOf(draw, [0, 0.5, 1.5]) };
  return name === "fair-share"
    ? { inputWeight: oneOf(draw, [0.25, 0.5, 1]), outputWeight: oneOf(draw, [0.5, 1, 2]) }
    : {};
}

function randomScheduler(number: number, draw: Draw, onGrid: boolean): SchedulerSpec {
  const batching = BATCHINGS[number % 4]!;
  const order = ORDERS[Math.floor(number / 4) % 6]!;
  return {
    batching: { name: batching, options: optionsOfBatching(batching, draw) },
    order: { name: order, options: optionsOfOrder(order, draw) },
    preemption: oneOf(draw, ["recompute", "swap"]),
    swapSPerToken: onGrid ? whole(draw, 0, 2) * FINE_GRID_S : draw() * 1e-4,
    swapSpaceTokens: oneOf(draw, [0, whole(draw, 1, 60), whole(draw, 20, 400), 1_000_000]),
    admission: draw() < 0.2 ? "reserve" : "optimistic",
    prefixCache: draw() < 0.5 ? null : { eviction: oneOf(draw, ["lru", "fifo", "lfu"]) },
    speculative:
      draw() < 0.8
        ? null
        : {
            draftTokens: whole(draw, 1, 5),
            draftCost: 0,
            mode: "exact",
            acceptance: oneOf(draw, [0, 1, draw(), draw()]),
          },
    capturedBatchSizes: null,
    role: oneOf(draw, ["both", "both", "both", "both", "prefill", "decode"]),
  };
}

export function randomPolicyScenario(number: number): PolicyScenario {
  const draw = stream("policy-leap", number, "scenario");
  const onGrid = number % 3 === 0;
  const gridded = (timeS: number): number => (onGrid ? Math.ceil(timeS / GRID_S) * GRID_S : timeS);
  const scheduler = randomScheduler(Math.floor(number / 3), draw, onGrid);
  const maxNumSeqs = oneOf(draw, [1, 2, 3, whole(draw, 1, 20), whole(draw, 4, 20)]);
  const maxNumBatchedTokens = maxNumSeqs + oneOf(draw, [0, whole(draw, 0, 20), whole(draw, 20, 200), 2000]);
  const longPrefillTokenThreshold = draw() < 0.6 ? 0 : whole(draw, 1, 60);
  const blockTokens = oneOf(draw, [1, 2, 4, 8, 16]);
  const stepTime = randomStepTime(draw, maxNumSeqs, onGrid);

  const classes: ClassTraits[] = [];
  for (let n = whole(draw, 1, 4); n > 0; n--)
    classes.push({ priority: whole(draw, 0, 2), ttftS: draw() < 0.3 ? null : gridded(draw() * 2) });

  const longest = oneOf(draw, [8, 40, 40, 160]);
  const count = oneOf(draw, [whole(draw, 1, 4), whole(draw, 2, 10), whole(draw, 10, 30)]);
  const systems = Array.from({ length: whole(draw, 1, 3) }, () => whole(draw, 1, longest));
  const sharing = oneOf(draw, [0, 0.7, 1]);
  const meanGapS = oneOf(draw, [0, 0.01, 0.1, 0.6, 3]);
  const cancelShare = oneOf(draw, [0, 0.15, 0.6]);
  const requests: PolicyRequest[] = [];
  let timeS = gridded(0.01 * draw());
  for (let i = 0; i < count; i++) {
    if (draw() > 0.33) timeS = gridded(timeS + meanGapS * exponential(draw));
    const cancelS = draw() < cancelShare ? gridded(timeS + oneOf(draw, [0.02, 0.3, 2]) * exponential(draw)) : Infinity;
    const own = whole(draw, 1, longest);
    const outputTokens = draw() < 0.1 ? 1 : whole(draw, 1, longest);
    const session = draw() < sharing / 2 ? whole(draw, 0, 5) : -1;
    const anySystem = draw() < sharing ? whole(draw, 0, systems.length - 1) : -1;
    const system = session < 0 ? anySystem : (session % (systems.length + 1)) - 1;
    // A session keeps its system prompt; others may share only part of a text.
    const systemTokens =
      system < 0 ? 0 : session >= 0 || draw() < 0.7 ? systems[system]! : whole(draw, 1, systems[system]!);
    requests.push({
      arrivalS: timeS,
      inputTokens: own + systemTokens,
      outputTokens: scheduler.role === "decode" ? outputTokens + 1 : outputTokens,
      maxOutputTokens: outputTokens + 1 + oneOf(draw, [0, whole(draw, 0, longest), longest]),
      cancelS,
      classIndex: whole(draw, 0, classes.length - 1),
      system,
      systemTokens,
      session,
      firstTokenS: timeS - gridded(0.1 * draw()),
    });
  }

  let kvBlocks = 0;
  for (const { inputTokens, outputTokens } of requests)
    kvBlocks = Math.max(kvBlocks, Math.ceil((inputTokens + outputTokens - 1) / blockTokens));
  kvBlocks += oneOf(draw, [0, 1, whole(draw, 0, kvBlocks), whole(draw, 0, kvBlocks), 5 * kvBlocks]);

  const spanS = timeS + 2;
  const times = (most: number): number[] => {
    const list: number[] = [];
    for (let n = whole(draw, 0, most); n > 0; n--) list.push(gridded(draw() * spanS));
    return list.sort((a, b) => a - b);
  };
  return {
    spec: engineSpec({ maxNumSeqs, maxNumBatchedTokens, longPrefillTokenThreshold, blockTokens, kvBlocks }),
    stepTime,
    requests,
    scheduler,
    classes,
    luckKey: whole(draw, 0, 1_000_000),
    failuresS: draw() < 0.2 ? times(2) : [],
    booksS: times(3),
  };
}

/**
 * Random small lives of one replica, for the conformance suite of policies. Scenario n of a seed is a function of both alone,
 * so a finding is replayed by its number. One in three lies on a grid of binary fractions: step ends, arrivals and
 * cancellations then fall on the same instants and sums are exact, which tries the order at one instant. Seconds, tokens.
 */
import { exp, log } from "../../kernel/math.ts";
import { type Draw, stream } from "../../kernel/random.ts";
import { exponential } from "../../kernel/samplers.ts";
import type { PolicyPlugin } from "../policies/policy.ts";
import type { ClassTraits } from "../request-facts.ts";
import { DEFAULT_SCHEDULER, type PolicyChoice, type SchedulerSpec } from "../scheduler-spec.ts";
import type { EngineSpec } from "../spec.ts";
import type { StepTime } from "../step-time.ts";

export interface ConformRequest {
  readonly arrivalS: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly maxOutputTokens: number;
  readonly classIndex: number;
  /** When its client gives up; Infinity = never. */
  readonly cancelS: number;
}

export interface ConformScenario {
  readonly number: number;
  readonly spec: EngineSpec;
  readonly stepTime: StepTime;
  readonly scheduler: SchedulerSpec;
  readonly classes: readonly ClassTraits[];
  readonly luckKey: number;
  /** In order of arrival; the index is the identity. */
  readonly requests: readonly ConformRequest[];
}

const GRID_S = 1 / 1024;
/** One scenario in so many has a crowd of requests; it is none of those on the grid, and leaves options at their defaults. */
const CROWD_EVERY = 60;
const FIRST_CROWD = 20;
const CROWD_REQUESTS = 160;
/** One in so many has few requests of long prompts and answers, for policies that change their mind after hundreds of tokens. */
const LONG_EVERY = 15;
const FIRST_LONG = 7;
const LONG_REQUESTS = 5;
const LONG_TOKENS = [600, 3000];

/** Built-in orders that a batching policy has to get along with, and batching policies that an order has. */
const ORDERS = ["fcfs", "fcfs", "priority", "edf", "shortest-prompt", "predicted-shortest", "fair-share"];
const BATCHINGS = ["chunked", "chunked", "continuous"];

/** Is scenario `number` one of many requests? `crowd.ts` says how fast they come. */
export function isCrowd(number: number): boolean {
  return number % CROWD_EVERY === FIRST_CROWD;
}

/** Scenario `number` for a plug-in, with its options at their defaults in every second one. */
export function randomScenario(plugin: PolicyPlugin, seed: string, number: number): ConformScenario {
  const draw = stream(seed, number, "conform");
  const onGrid = number % 3 === 0;
  const gridded = (timeS: number): number => (onGrid ? Math.ceil(timeS / GRID_S) * GRID_S : timeS);
  const maxNumSeqs = oneOf(draw, [1, 2, 3, whole(draw, 2, 8), whole(draw, 4, 32)]);
  const maxNumBatchedTokens = Math.max(maxNumSeqs, oneOf(draw, [whole(draw, 4, 64), 256, 2048]));
  const blockTokens = oneOf(draw, [1, 4, 16]);
  const classes = Array.from({ length: whole(draw, 1, 3) }, (): ClassTraits => ({
    priority: whole(draw, 0, 2),
    ttftS: draw() < 0.4 ? null : gridded(draw()),
  }));

  const requests: ConformRequest[] = [];
  const crowd = isCrowd(number);
  const bursty = draw() < 0.5 && !crowd;
  const long = number % LONG_EVERY === FIRST_LONG;
  const longestInput = oneOf(draw, long ? LONG_TOKENS : [8, 60, 300]);
  const longestOutput = oneOf(draw, long ? LONG_TOKENS : [1, 4, 30, 120]);
  let timeS = 0;
  for (let n = crowd ? CROWD_REQUESTS : whole(draw, 1, long ? LONG_REQUESTS : 24); n > 0; n--) {
    if (!bursty || draw() < 0.3) timeS += 0.05 * exponential(draw);
    const arrivalS = gridded(timeS);
    const outputTokens = whole(draw, 1, longestOutput);
    requests.push({
      arrivalS,
      inputTokens: whole(draw, 1, longestInput),
      outputTokens,
      maxOutputTokens: outputTokens + oneOf(draw, [0, 0, whole(draw, 0, 100)]),
      classIndex: whole(draw, 0, classes.length - 1),
      cancelS: draw() < 0.15 && !crowd ? gridded(arrivalS + 2 * draw()) : Infinity,
    });
  }
  // Each request fits on its own; the keys and values of its last token are never written.
  let kvBlocks = 0;
  for (const { inputTokens, outputTokens } of requests)
    kvBlocks = Math.max(kvBlocks, Math.ceil((inputTokens + outputTokens - 1) / blockTokens));
  kvBlocks += oneOf(draw, [0, 1, whole(draw, 0, kvBlocks), 4 * kvBlocks, 100_000]);

  const options = number % 2 === 0 ? {} : drawOptions(draw, plugin);
  const own: PolicyChoice = { name: plugin.name, options };
  const swapSPerToken = onGrid ? GRID_S / 64 : 1e-5 * draw();
  return {
    number,
    spec: engineOf({
      maxNumSeqs,
      maxNumBatchedTokens,
      blockTokens,
      kvBlocks,
      longPrefillTokenThreshold: oneOf(draw, [0, 0, 16]),
    }),
    stepTime: randomStepTime(draw, maxNumSeqs, onGrid),
    scheduler: {
      ...DEFAULT_SCHEDULER,
      batching: plugin.kind === "batching" ? own : { name: oneOf(draw, BATCHINGS), options: {} },
      order: plugin.kind === "order" ? own : { name: oneOf(draw, ORDERS), options: {} },
      preemption: draw() < 0.3 ? "swap" : "recompute",
      swapSPerToken,
      swapSpaceTokens: oneOf(draw, [0, 200, 1_000_000]),
      admission: draw() < 0.25 ? "reserve" : "optimistic",
    },
    classes,
    luckKey: number,
    requests,
  };
}

/** The same scenario with one option at `value`, all others at their defaults. */
export function withOption(
  scenario: ConformScenario,
  plugin: PolicyPlugin,
  option: string,
  value: number | null,
): ConformScenario {
  const own: PolicyChoice = { name: plugin.name, options: value === null ? {} : { [option]: value } };
  const scheduler = { ...scenario.scheduler, [plugin.kind]: own };
  return { ...scenario, scheduler };
}

/** Evenly between the bounds, or evenly in the logarithm; whole when default and bounds are. */
function drawOptions(draw: Draw, plugin: PolicyPlugin): Record<string, number> {
  const options: Record<string, number> = {};
  for (const [name, { min, max, default: preset, whole: counts }] of Object.entries(plugin.options)) {
    const even = draw() < 0.3;
    const at = draw();
    const value = even ? min + at * (max - min) : min - 1 + exp(at * log(1 + max - min));
    const isWhole = counts === true || (Number.isInteger(min) && Number.isInteger(max) && Number.isInteger(preset));
    options[name] = Math.min(max, Math.max(min, isWhole ? Math.round(even ? value : value + 1) : value));
  }
  return options;
}

function whole(draw: Draw, from: number, to: number): number {
  return from + Math.floor(draw() * (to - from + 1));
}

function oneOf<T>(draw: Draw, values: readonly T[]): T {
  return values[Math.floor(draw() * values.length)]!;
}

type EngineSizes = Pick<
  EngineSpec,
  "maxNumSeqs" | "maxNumBatchedTokens" | "blockTokens" | "kvBlocks" | "longPrefillTokenThreshold"
>;

function engineOf(sizes: EngineSizes): EngineSpec {
  return {
    engine: "conform",
    engineVersion: "0",
    weightDtype: "bf16",
    kvDtype: "bf16",
    tensorParallelSize: 1,
    gpuMemoryUtilization: 0.9,
    maxModelLen: 1_000_000_000,
    tpreMsPerLayer: 0,
    apiOverheadMs: 0,
    ...sizes,
  };
}

/** Any base that rises with the batch will do: a policy must not depend on one GPU. */
function randomStepTime(draw: Draw, maxNumSeqs: number, onGrid: boolean): StepTime {
  const coefficient = (scaleS: number): number => (onGrid ? whole(draw, 0, 3) * (GRID_S / 64) : draw() * scaleS);
  const decodeBaseS = new Float64Array(maxNumSeqs + 1);
  let baseS = onGrid ? whole(draw, 1, 8) * GRID_S : 0.001 + 0.01 * draw();
  for (let d = 1; d <= maxNumSeqs; d++) {
    decodeBaseS[d] = baseS;
    baseS += onGrid ? whole(draw, 0, 1) * GRID_S : 0.001 * draw();
  }
  const perContextTokenS = draw() < 0.3 ? 0 : coefficient(5e-5);
  const mixedBaseS = onGrid ? whole(draw, 1, 16) * GRID_S : 0.002 + 0.01 * draw();
  const perPrefillTokenS = coefficient(5e-5);
  const perDecodeS = coefficient(1e-4);
  return {
    decodeBaseS,
    perContextTokenS,
    mixedS: (decodeSeqs, contextTokens, prefillTokens, attendedPairs, prompts) =>
      mixedBaseS +
      perDecodeS * (decodeSeqs + prompts) +
      perContextTokenS * contextTokens +
      perPrefillTokenS * prefillTokens +
      (onGrid ? 0 : 1e-8 * attendedPairs),
  };
}

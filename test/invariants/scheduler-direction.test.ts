/**
 * Every scheduler option moves the result that it is there for, in the direction that it promises: paired differences to
 * plain chunked first come, first served on the same requests, whose interval leaves out zero.
 */
import { describe, expect, test } from "vitest";
import { compareStrategies, type PairedDifference } from "../../src/experiment/compare.ts";
import { runOne } from "../../src/experiment/run-one.ts";
import { resolveRaw, type Raw } from "../fixtures/experiment.ts";

const REPLICATIONS = 5;
const POOL = { llm: "llama-3.1-8b", gpu: "h100-sxm", replicas: 1, maxNumSeqs: 16, incidents: "none" };

interface Setting {
  readonly requestsPerS: number;
  /** Of all strategies. */
  readonly pool?: Raw;
  readonly classes?: readonly Raw[];
}

const lengths = (medianTokens: number): Raw => ({ kind: "lognormal", medianTokens, sigma: 0.6, maxTokens: 8000 });

/** The tenant that asks little and wants it soon, and the one that floods. */
const QUIET = { name: "quiet", share: 0.2, priority: 0, slo: { ttftMs: 800 } };
const FLOOD = { name: "flood", share: 0.8, priority: 1, slo: { ttftMs: 20_000 } };

/** Rows of `strategy` against the plain pool, by metric and class. */
function compared({ requestsPerS, pool = {}, classes = [QUIET, FLOOD] }: Setting, strategy: Raw) {
  const plain = { ...POOL, ...pool };
  const routes = Object.fromEntries(classes.map(({ name }) => [name as string, ["own"]]));
  const { experiment } = resolveRaw({
    id: "directions",
    title: "Directions",
    question: "Which way?",
    start: "2026-11-02T00:00:00Z",
    days: 0.0025,
    warmupMinutes: 1,
    seed: 5,
    replications: REPLICATIONS,
    classes,
    traffic: { requestsPerS, input: lengths(700), output: lengths(120) },
    strategies: {
      plain: { pools: { own: plain }, routes },
      other: { pools: "pools" in strategy ? strategy["pools"] : { own: { ...plain, ...strategy } }, routes },
    },
  });
  const outcomes = experiment.strategies.map(({ pools }, s) =>
    Array.from({ length: REPLICATIONS }, (_, replication) =>
      runOne({ experiment, strategy: s, replication, replicas: pools.map((one) => Number(one.replicas)) }, null, null),
    ),
  );
  const { rows } = compareStrategies(experiment, outcomes)[0]!;
  return (metric: string, className: string | null = null): PairedDifference =>
    rows.find((row) => row.metric === metric && row.className === className)!;
}

type Claim = readonly [metric: string, direction: "lower" | "higher", className?: string];

const LOADED: Setting = { requestsPerS: 9 };
const LIGHT: Setting = { requestsPerS: 1 };
/** Long prompts amid answers. */
const MIXED: Setting = {
  requestsPerS: 6,
  pool: { maxNumSeqs: 64, maxNumBatchedTokens: 2048 },
  classes: [
    { name: "short", share: 0.7 },
    { name: "long", share: 0.3, input: { kind: "constant", tokens: 6000 } },
  ],
};
/** Room for about 12 requests. */
const TIGHT: Setting = { requestsPerS: 6, pool: { maxNumSeqs: 32, kvBlocks: 800, maxModelLen: 12_000 } };
const SHARED: Setting = { requestsPerS: 6, classes: [{ name: "all", share: 1, sharedPrefix: { tokens: 512 } }] };

const order = (name: string, options: Raw = {}): Raw => ({ scheduler: { order: { name, options } } });

const PROMISES: readonly (readonly [string, Setting, Raw, readonly Claim[]])[] = [
  [
    "priority",
    LOADED,
    order("priority"),
    [
      ["ttftMean", "lower", "quiet"],
      ["ttftMean", "higher", "flood"],
    ],
  ],
  [
    "edf",
    LOADED,
    order("edf"),
    [
      ["sloAttainment", "higher", "quiet"],
      ["ttftMean", "higher", "flood"],
    ],
  ],
  ["fair-share", LOADED, order("fair-share"), [["sloAttainment", "higher", "quiet"]]],
  ["shortest-prompt", LOADED, order("shortest-prompt"), [["ttftMean", "lower"]]],
  [
    "predicted-shortest",
    LOADED,
    order("predicted-shortest", { sigma: 0 }),
    [
      ["e2eMean", "lower"],
      ["ttftMean", "lower"],
    ],
  ],
  ["continuous", MIXED, { scheduler: { batching: "continuous" } }, [["itlP99", "higher"]]],
  ["static", MIXED, { scheduler: { batching: "static" } }, [["ttftMean", "higher"]]],
  [
    "prefix cache",
    SHARED,
    { scheduler: { prefixCaching: "lru" } },
    [
      ["ttftMean", "lower"],
      ["e2eMean", "lower"],
    ],
  ],
  [
    "drafts",
    LIGHT,
    { scheduler: { speculative: { draftTokens: 3, acceptance: 0.7 } } },
    [
      ["tpotMean", "lower"],
      ["e2eMean", "lower"],
    ],
  ],
  ["padded batches", LIGHT, { scheduler: { capturedBatchSizes: [16] } }, [["tpotMean", "higher"]]],
  [
    "reserve",
    TIGHT,
    { scheduler: { admission: "reserve" } },
    [
      ["preemptions", "lower"],
      ["ttftMean", "higher"],
    ],
  ],
  [
    "swap",
    TIGHT,
    { scheduler: { preemption: "swap" } },
    [
      ["e2eMean", "lower"],
      ["ttftMean", "lower"],
    ],
  ],
  [
    "disaggregated",
    { ...MIXED, pool: { ...MIXED.pool, replicas: 2 } },
    {
      pools: {
        own: { ...POOL, ...MIXED.pool, handOff: { to: "decode" } },
        decode: { ...POOL, ...MIXED.pool },
      },
    },
    [["itlP99", "lower"]],
  ],
];

describe("against plain chunked batching, first come first served", () => {
  test.each(PROMISES)("%s", (_, setting, strategy, claims) => {
    const row = compared(setting, strategy);
    for (const [metric, direction, className] of claims) {
      const { difference, baseline, other } = row(metric, className ?? null);
      const what = `${className ?? "all"} ${metric}: ${baseline?.mean} to ${other?.mean}`;
      if (direction === "lower") expect(difference?.hi, what).toBeLessThan(0);
      else expect(difference?.lo, what).toBeGreaterThan(0);
    }
  });
});

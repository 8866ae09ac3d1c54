/** The rate that a replica bears within the SLO: that of the requests which it gets, and of nothing else about its pool. */
import { expect, test } from "vitest";
import { sloRatePerReplica } from "../../src/experiment/slo-rate.ts";
import { resolveRaw, type Raw } from "../fixtures/experiment.ts";

const POOL = { llm: "llama-3.1-8b", gpu: "l4", engine: "vllm", gpuPrice: { usdPerGpuHour: 1 }, replicas: 2 };
const constant = (tokens: number): Raw => ({ kind: "constant", tokens });

function rate(changes: { pool?: Raw; traffic?: Raw; strategy?: Raw; client?: unknown } = {}): number | null {
  const { experiment } = resolveRaw({
    id: "one",
    title: "One",
    question: "How much?",
    start: "2026-11-02",
    days: 1,
    client: changes.client ?? "none",
    classes: [{ name: "all", share: 1, slo: { ttftMs: 10_000 } }],
    traffic: { requestsPerS: 1, input: constant(500), output: constant(40), ...changes.traffic },
    strategies: {
      own: { pools: { own: { ...POOL, ...changes.pool } }, routes: { all: ["own"] }, ...changes.strategy },
    },
  });
  return sloRatePerReplica({ experiment, strategy: 0, pool: 0, classIndex: 0 });
}

const alone = rate()!;

test("of sessions it is that of prompts which hold what came before", () => {
  const sessions = {
    turns: [0, 0, 0, 0, 1],
    thinkTimeS: { medianS: 5 },
    newInput: constant(460),
    maxContextTokens: 8000,
  };
  const grown = rate({ traffic: { sessions } })!;
  // Turns of 500, 1,000 … 2,500 tokens: 1,500 in the mean. A replica bears about as many requests of that length, and more with a prefix cache.
  const long = rate({ traffic: { input: constant(1500) } })!;
  expect(long).toBeLessThan(0.6 * alone);
  expect(grown / long).toBeGreaterThan(0.7);
  expect(grown / long).toBeLessThan(1.2);
  expect(rate({ traffic: { sessions }, pool: { scheduler: { prefixCaching: "lru" } } })).toBeGreaterThan(1.05 * grown);
});

test("a pool that stops while idle bears what one does that is always there", () => {
  expect(rate({ pool: { scaleToZero: { idleMinutes: 1 } } })).toBe(alone);
});

test("clients of the strategy's own count as they do in its runs", () => {
  const client = { profile: "none", abandonment: { medianS: 1, sigma: 0 } };
  const impatient = rate({ client })!;
  expect(impatient).toBeLessThan(0.95 * alone);
  expect(rate({ strategy: { client } })).toBe(impatient);
});

/**
 * Disaggregated fleets against a naive one: prompts in batches on some replicas, the KV on its way for as long as its bytes
 * take, tokens in batches on other replicas, each in turn. It shares nothing with the engines but the table of step times.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { DEFAULT_SCHEDULER } from "../../src/engine/scheduler-spec.ts";
import { interpolatedMs, type StepTimeRow } from "../../src/engine/step-time-table.ts";
import { COMPLETED } from "../../src/outcome/recorder.ts";
import { type ListedRequest, listTraffic, pool, setting, strategy, to } from "../fixtures/strategies.ts";
import { watch } from "../invariants/random-runs.ts";

const TABLE: readonly StepTimeRow[] = [
  { batchTokens: 1, promptMs: 20, tokenMs: 10 },
  { batchTokens: 8, promptMs: 21, tokenMs: 13 },
  { batchTokens: 4000, promptMs: 900, tokenMs: 40 },
];

interface Fleet {
  readonly prefillReplicas: number;
  readonly decodeReplicas: number;
  readonly prefillSeats: number;
  readonly decodeSeats: number;
  readonly sPerToken: number;
  readonly latencyS: number;
}

interface Times {
  firstTokenS: number;
  lastTokenS: number;
}

interface Job {
  readonly id: number;
  readonly atS: number;
  /** Steps that it takes here. */
  readonly steps: number;
  readonly tokens: number;
}

/** One replica from its jobs in order of arrival: calls `ended` as each ends. Joins at boundaries, first come first served. */
function serve(jobs: readonly Job[], seats: number, stepS: (batch: readonly Job[]) => number): Map<number, number> {
  const ends = new Map<number, number>();
  const waiting = [...jobs].sort((a, b) => a.atS - b.atS);
  let batch: { job: Job; left: number }[] = [];
  let nowS = 0;
  while (waiting.length > 0 || batch.length > 0) {
    if (batch.length === 0) nowS = Math.max(nowS, waiting[0]!.atS);
    while (waiting.length > 0 && batch.length < seats && waiting[0]!.atS <= nowS) {
      const job = waiting.shift()!;
      batch.push({ job, left: job.steps });
    }
    nowS += stepS(batch.map(({ job }) => job));
    for (const one of batch) if (--one.left === 0) ends.set(one.job.id, nowS);
    batch = batch.filter(({ left }) => left > 0);
  }
  return ends;
}

/** Jobs dealt out to replicas in turn, by time. */
function inTurn(
  jobs: readonly Job[],
  replicas: number,
  seats: number,
  stepS: (batch: readonly Job[]) => number,
): Map<number, number> {
  const dealt: Job[][] = Array.from({ length: replicas }, () => []);
  [...jobs].sort((a, b) => a.atS - b.atS).forEach((job, i) => dealt[i % replicas]!.push(job));
  return new Map(dealt.flatMap((own) => [...serve(own, seats, stepS)]));
}

function naive(requests: readonly ListedRequest[], fleet: Fleet): Times[] {
  const prompts = requests.map(({ timeS, inputTokens }, id): Job => ({
    id,
    atS: timeS,
    steps: 1,
    tokens: inputTokens,
  }));
  const prefilled = inTurn(prompts, fleet.prefillReplicas, fleet.prefillSeats, (batch) => {
    const tokens = batch.reduce((sum, job) => sum + job.tokens, 0);
    return interpolatedMs(TABLE, "promptMs", tokens) / 1000;
  });
  // Requests come in this order, are dealt out in turn, and leave a replica in the order in which they came to it.
  const portFreeS = Array.from({ length: fleet.prefillReplicas }, () => 0);
  const answers = requests.flatMap(({ inputTokens, outputTokens }, id): Job[] => {
    if (outputTokens === 1) return [];
    const replica = id % fleet.prefillReplicas;
    const freeS = Math.max(prefilled.get(id)!, portFreeS[replica]!) + fleet.sPerToken * inputTokens;
    portFreeS[replica] = freeS;
    return [{ id, atS: freeS + fleet.latencyS, steps: outputTokens - 1, tokens: 0 }];
  });
  const decoded = inTurn(
    answers,
    fleet.decodeReplicas,
    fleet.decodeSeats,
    (batch) => interpolatedMs(TABLE, "tokenMs", batch.length) / 1000,
  );
  return requests.map((_, id) => {
    const firstTokenS = prefilled.get(id)!;
    return { firstTokenS, lastTokenS: decoded.get(id) ?? firstTokenS };
  });
}

function simulated(requests: readonly ListedRequest[], fleet: Fleet): Times[] {
  const { sPerToken, latencyS } = fleet;
  const common = { stepTimeTable: TABLE, networkS: 0, router: { name: "round-robin", options: {} } };
  const engine = { maxNumBatchedTokens: 100_000, kvBlocks: 20_000, apiOverheadMs: 0 };
  const pools = [
    pool({
      ...common,
      name: "prefill",
      scheduler: { ...DEFAULT_SCHEDULER, role: "prefill" },
      handOff: { pool: 1, sPerToken, latencyS },
      engine: { ...engine, maxNumSeqs: fleet.prefillSeats },
    }),
    pool({
      ...common,
      name: "decode",
      scheduler: { ...DEFAULT_SCHEDULER, role: "decode" },
      engine: { ...engine, maxNumSeqs: fleet.decodeSeats },
    }),
  ];
  const { rows } = watch(
    setting({ horizonS: 4000 }),
    strategy([[to("pool")]], pools),
    [fleet.prefillReplicas, fleet.decodeReplicas],
    listTraffic(requests),
  );
  const times: Times[] = [];
  for (const row of rows) {
    expect(row.outcome).toBe(COMPLETED);
    // A lone token is never handed on.
    expect(row.route).toBe(row.outputTokens === 1 ? 1 : 2);
    times[row.request] = { firstTokenS: row.sentS + row.ttftS, lastTokenS: row.sentS + row.e2eS };
  }
  return times;
}

const fleets = fc.record({
  prefillReplicas: fc.integer({ min: 1, max: 3 }),
  decodeReplicas: fc.integer({ min: 1, max: 3 }),
  prefillSeats: fc.integer({ min: 1, max: 4 }),
  decodeSeats: fc.integer({ min: 1, max: 6 }),
  sPerToken: fc.double({ min: 1e-6, max: 1e-3, noNaN: true }),
  latencyS: fc.double({ min: 0, max: 0.1, noNaN: true }),
});
/** Different prompts, so that no two transfers of two replicas end at once. */
const loads = fc
  .uniqueArray(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 40 })
  .chain((prompts) =>
    fc.tuple(
      ...prompts.map((inputTokens) =>
        fc.record({
          inputTokens: fc.constant(inputTokens),
          outputTokens: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 60 })),
          gapS: fc.double({ min: 0, max: 0.4, noNaN: true }),
        }),
      ),
    ),
  )
  .map((drawn): ListedRequest[] => {
    let timeS = 0;
    return drawn.map(({ inputTokens, outputTokens, gapS }) => ({ timeS: (timeS += gapS), inputTokens, outputTokens }));
  });

test("first and last tokens are those of the naive fleet, to 1e-9 s", () => {
  fc.assert(
    fc.property(loads, fleets, (requests, fleet) => {
      const expected = naive(requests, fleet);
      const found = simulated(requests, fleet);
      expect(found).toHaveLength(expected.length);
      found.forEach((times, i) => {
        expect(Math.abs(times.firstTokenS - expected[i]!.firstTokenS)).toBeLessThan(1e-9);
        expect(Math.abs(times.lastTokenS - expected[i]!.lastTokenS)).toBeLessThan(1e-9);
      });
    }),
    { numRuns: 200, seed: 3 },
  );
});

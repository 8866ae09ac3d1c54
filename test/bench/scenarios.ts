/**
 * The benchmark's fleets as experiment files, resolved like any user's. Each runs in a process of its own, on the built
 * code (`dist/`), so that its memory is its own and what ships is what is measured.
 */

export interface FleetScenario {
  readonly id: string;
  readonly replicas: number;
  readonly ratePerReplica: number;
  readonly outputFactor: number;
  readonly requests: number;
  /** Options of the pool beyond the default ones. */
  readonly pool?: Readonly<Record<string, unknown>>;
  /** A second pool that decodes what the first has prefilled. */
  readonly disaggregated?: true;
  /** Sessions of so many turns on average, in the place of single requests. */
  readonly meanTurns?: number;
}

/** 16 replicas of Llama-3.1-70B FP8 TP4 on H100 at 8 requests per second and replica, and what is varied about it. */
export const FLEET_SCENARIOS: readonly FleetScenario[] = [
  { id: "fleet-70b", replicas: 16, ratePerReplica: 8, outputFactor: 1, requests: 2_000_000 },
  { id: "fleet-70b-rate-4", replicas: 16, ratePerReplica: 4, outputFactor: 1, requests: 2_000_000 },
  { id: "fleet-70b-128-replicas", replicas: 128, ratePerReplica: 8, outputFactor: 1, requests: 2_000_000 },
  { id: "fleet-70b-rate-0.5", replicas: 16, ratePerReplica: 0.5, outputFactor: 1, requests: 1_000_000 },
  { id: "fleet-70b-rate-0.5-output-x8", replicas: 16, ratePerReplica: 0.5, outputFactor: 8, requests: 1_000_000 },
  { id: "days-1", replicas: 2, ratePerReplica: 5, outputFactor: 1, requests: 864_000 },
  { id: "days-90", replicas: 2, ratePerReplica: 5, outputFactor: 1, requests: 77_760_000 },
  ...(
    [
      ["continuous", { batching: "continuous" }],
      ["priority", { order: "priority" }],
      ["edf", { order: "edf" }],
      ["shortest-prompt", { order: "shortest-prompt" }],
      ["predicted-shortest", { order: "predicted-shortest" }],
      ["fair-share", { order: "fair-share" }],
      ["swap", { preemption: "swap" }],
      ["reserve", { admission: "reserve" }],
      ["padded", { capturedBatchSizes: [1, 2, 4, 8, 16, 24, 32, 48, 64] }],
      ["drafts-mean-field", { speculative: { draftTokens: 3, acceptance: 0.7, mode: "mean-field" } }],
      ["drafts-exact", { speculative: { draftTokens: 3, acceptance: 0.7 } }],
      ["prefix-cache-lru", { prefixCaching: "lru" }],
      ["prefix-cache-fifo", { prefixCaching: "fifo" }],
      ["prefix-cache-lfu", { prefixCaching: "lfu" }],
    ] as const
  ).map(([name, scheduler]) => policyScenario(name, 8, { scheduler, maxNumBatchedTokens: 8192 })),
  policyScenario("static", 2, { scheduler: { batching: { name: "static", options: { batchSize: 8 } } } }),
  policyScenario("dynamic", 8, { scheduler: { batching: "dynamic" } }, 0),
  {
    ...policyScenario("sessions-sticky", 4, {
      scheduler: { prefixCaching: "lru" },
      router: "sticky",
      maxNumBatchedTokens: 8192,
    }),
    meanTurns: 4,
    requests: 100_000,
  },
  { ...policyScenario("disaggregated", 4, {}), disaggregated: true },
];

/** The same fleet under another policy; output factor 0: prompts only. */
function policyScenario(
  name: string,
  ratePerReplica: number,
  pool: Readonly<Record<string, unknown>>,
  outputFactor = 1,
): FleetScenario {
  return { id: `policy-${name}`, replicas: 16, ratePerReplica, outputFactor, requests: 500_000, pool };
}

/** What a user would write for it. */
export function experimentOf(scenario: FleetScenario, requests: number, seed: string): unknown {
  const requestsPerS = scenario.replicas * scenario.ratePerReplica;
  const slo = { ttftMs: 2000, tpotMs: 100 };
  // Policies have something to decide between: two classes, each with a system prompt of its own.
  const classes =
    scenario.pool === undefined
      ? [{ name: "all", share: 1, slo }]
      : [
          { name: "urgent", share: 0.3, priority: 0, slo: { ...slo, ttftMs: 500 }, sharedPrefix: { tokens: 256 } },
          { name: "patient", share: 0.7, priority: 1, slo, sharedPrefix: { tokens: 256, groups: 20 } },
        ];
  const pool = {
    llm: "llama-3.1-70b",
    gpu: "h100-sxm",
    weightDtype: "fp8",
    tensorParallelSize: 4,
    replicas: scenario.replicas,
    warmReplicas: 0,
    gpuPrice: "nebius-on-demand",
    router: { name: "two-choices" },
    ...scenario.pool,
  };
  return {
    id: scenario.id,
    title: scenario.id,
    question: "How fast does the simulator run?",
    start: "2026-11-02",
    days: requests / requestsPerS / 86_400,
    warmupMinutes: 0,
    seed,
    replications: 1,
    classes,
    traffic: {
      requestsPerS,
      ...(scenario.meanTurns === undefined
        ? {}
        : {
            sessions: {
              turns: { mean: scenario.meanTurns },
              thinkTimeS: { medianS: 30, sigma: 1 },
              newInput: { kind: "lognormal", medianTokens: 80, sigma: 0.8, minTokens: 1, maxTokens: 4000 },
              maxContextTokens: 32_000,
            },
          }),
      input: { kind: "lognormal", medianTokens: 490, sigma: 1, minTokens: 1, maxTokens: 32_000 },
      output:
        scenario.outputFactor === 0
          ? { kind: "constant", tokens: 1 }
          : {
              kind: "lognormal",
              medianTokens: 164 * scenario.outputFactor,
              sigma: 0.8,
              minTokens: 1,
              maxTokens: 32_000,
            },
    },
    client: "none",
    team: { preset: "ready" },
    strategies: {
      fleet: {
        pools:
          scenario.disaggregated === true
            ? { own: { ...pool, handOff: { to: "decoders" } }, decoders: pool }
            : { own: pool },
        routes: Object.fromEntries(classes.map(({ name }) => [name, ["own"]])),
      },
    },
  };
}

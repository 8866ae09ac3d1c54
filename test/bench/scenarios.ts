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
];

/** What a user would write for it. */
export function experimentOf(scenario: FleetScenario, requests: number, seed: string): unknown {
  const requestsPerS = scenario.replicas * scenario.ratePerReplica;
  return {
    id: scenario.id,
    title: scenario.id,
    question: "How fast does the simulator run?",
    start: "2026-11-02",
    days: requests / requestsPerS / 86_400,
    warmupMinutes: 0,
    seed,
    replications: 1,
    classes: [{ name: "all", share: 1, slo: { ttftMs: 2000, tpotMs: 100 } }],
    traffic: {
      requestsPerS,
      input: { kind: "lognormal", medianTokens: 490, sigma: 1, minTokens: 1, maxTokens: 32_000 },
      output: {
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
        pools: {
          own: {
            llm: "llama-3.1-70b",
            gpu: "h100-sxm",
            weightDtype: "fp8",
            tensorParallelSize: 4,
            replicas: scenario.replicas,
            warmReplicas: 0,
            gpuPrice: "nebius-on-demand",
            router: { name: "two-choices" },
          },
        },
        routes: { all: ["own"] },
      },
    },
  };
}

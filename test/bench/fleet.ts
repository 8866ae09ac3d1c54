/** One fleet scenario in a process of its own: what `fleet-child.mjs` prints. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { experimentOf, type FleetScenario } from "./scenarios.ts";

export interface FleetBench {
  readonly id: string;
  readonly requests: number;
  readonly requestsPerS: number;
  /** Requests drawn a second, without a fleet to serve them. */
  readonly drawnPerS: number;
  readonly timeOverDrawing: number;
  readonly nsPerEvent: number;
  readonly peakMemoryMiB: number;
}

/** Runs the scenario on the built code, without a loader in between. */
export function benchFleet(scenario: FleetScenario, requests: number | null, seed: string): FleetBench {
  const wanted = requests ?? scenario.requests;
  const child = spawnSync(process.execPath, [fileURLToPath(new URL("fleet-child.mjs", import.meta.url))], {
    input: JSON.stringify({ experiment: experimentOf(scenario, wanted, seed), repeats: wanted > 10_000_000 ? 1 : 3 }),
    encoding: "utf8",
    stdio: ["pipe", "pipe", "inherit"],
  });
  if (child.status !== 0) throw new Error(`${scenario.id} ended with ${child.status}`);
  return { id: scenario.id, ...(JSON.parse(child.stdout) as Omit<FleetBench, "id">) };
}

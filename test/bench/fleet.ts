/** One fleet scenario in this process: the traffic drawn alone and the simulation, in turn, the fastest of each. */
import "../../src/node/v8-flags.ts";
import { readFileSync } from "node:fs";
import { FLEET_SCENARIOS, experimentOf } from "./scenarios.ts";

export interface FleetBench {
  readonly id: string;
  readonly requests: number;
  readonly requestsPerS: number;
  readonly timeOverDrawing: number;
  readonly nsPerEvent: number;
  readonly peakMemoryMiB: number;
}

const REPEATS = 3;

/** The built code, which is what ships. */
function built<T>(path: string): Promise<T> {
  return import(new URL(`../../dist/${path}`, import.meta.url).href) as Promise<T>;
}

export async function benchFleet(id: string, requestsWanted: number | null, seed: string): Promise<FleetBench> {
  const { loadCatalog } = await built<typeof import("../../src/node/catalog-files.ts")>("node/catalog-files.js");
  const { resolveExperiment } = await built<typeof import("../../src/experiment/resolve.ts")>("experiment/resolve.js");
  const { simulateRun } = await built<typeof import("../../src/dispatch/simulate.ts")>("dispatch/simulate.js");
  const { openTraffic } = await built<typeof import("../../src/traffic/open.ts")>("traffic/open.js");
  const scenario = FLEET_SCENARIOS.find((candidate) => candidate.id === id)!;
  const { catalog } = await loadCatalog();
  const wanted = requestsWanted ?? scenario.requests;
  const { experiment } = resolveExperiment(experimentOf(scenario, wanted, seed), catalog);
  const { startEpochS, warmupS, horizonS } = experiment;
  const traffic = () =>
    openTraffic(experiment.traffic, { startEpochS, warmupS, horizonS, seed, replication: 0, classShares: [1] });
  let drawingS = Infinity;
  let simulatingS = Infinity;
  let requests = 0;
  let events = 0;
  for (let repeat = 0; repeat < (wanted > 10_000_000 ? 1 : REPEATS); repeat++) {
    let startMs = performance.now();
    for (const cursor = traffic(); cursor.timeS < Infinity;) cursor.advance();
    drawingS = Math.min(drawingS, (performance.now() - startMs) / 1000);
    startMs = performance.now();
    const run = simulateRun(experiment, experiment.strategies[0]!, traffic(), {
      seed,
      replication: 0,
      incidents: true,
      replicas: [scenario.replicas],
      demand: null,
      rows: null,
      onProgress: null,
    });
    simulatingS = Math.min(simulatingS, (performance.now() - startMs) / 1000);
    const { totals, inFlightAtHorizon } = run.classes[0]!;
    const ended = totals.completed + totals.rejected + totals.timedOut + totals.failed + inFlightAtHorizon;
    if (ended !== totals.sent) throw new Error(`${id}: ${totals.sent} sent, ${ended} accounted for`);
    requests = run.requestsSimulated;
    events = run.events;
  }
  return {
    id,
    requests,
    requestsPerS: Math.round(requests / simulatingS),
    timeOverDrawing: Number((simulatingS / drawingS).toFixed(2)),
    nsPerEvent: Math.round((simulatingS * 1e9) / events),
    peakMemoryMiB: peakMemoryMiB(),
  };
}

/** High-water mark of this process's resident memory. */
function peakMemoryMiB(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) / 1024);
}

/**
 * One fleet in this process, on the built code as it ships: the traffic drawn alone and the simulation, in turn, the
 * fastest of each. Reads {experiment, repeats} from stdin, prints one JSON object. Plain JavaScript, so that no
 * TypeScript loader stands between Node and the code that is timed.
 */
import "../../dist/node/v8-flags.js";
import { readFileSync } from "node:fs";
import { simulateRun } from "../../dist/dispatch/simulate.js";
import { resolveExperiment } from "../../dist/experiment/resolve.js";
import { loadCatalog } from "../../dist/node/catalog-files.js";
import { openTraffic } from "../../dist/traffic/open.js";

const { experiment: file, repeats } = JSON.parse(readFileSync(0, "utf8"));
const { catalog } = await loadCatalog();
const { experiment } = resolveExperiment(file, catalog);
const { startEpochS, warmupS, horizonS, seed } = experiment;
const classShares = experiment.classes.map(({ shareFraction }) => shareFraction);
const traffic = () =>
  openTraffic(experiment.traffic, { startEpochS, warmupS, horizonS, seed, replication: 0, classShares });
const replicas = experiment.strategies[0].pools.map((pool) => pool.replicas);

let drawingS = Infinity;
let simulatingS = Infinity;
let requests = 0;
let drawn = 0;
let events = 0;
for (let repeat = 0; repeat < repeats; repeat++) {
  let startMs = performance.now();
  drawn = 0;
  for (const cursor = traffic(); cursor.timeS < Infinity; drawn++) {
    const { request, timeS } = cursor;
    cursor.advance();
    // Answered at once: turns of a session wait for it.
    cursor.onComplete(request, timeS);
  }
  drawingS = Math.min(drawingS, (performance.now() - startMs) / 1000);
  startMs = performance.now();
  const options = { seed, replication: 0, incidents: true, replicas, demand: null, rows: null, onProgress: null };
  const run = simulateRun(experiment, experiment.strategies[0], traffic(), options);
  simulatingS = Math.min(simulatingS, (performance.now() - startMs) / 1000);
  for (const { totals, inFlightAtHorizon } of run.classes) {
    const ended = totals.completed + totals.rejected + totals.timedOut + totals.failed + inFlightAtHorizon;
    if (ended !== totals.sent) throw new Error(`${totals.sent} sent, ${ended} accounted for`);
  }
  requests = run.requestsSimulated;
  events = run.events;
}
// High-water mark of this process's resident memory.
const peakKiB = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
console.log(
  JSON.stringify({
    requests,
    requestsPerS: Math.round(requests / simulatingS),
    drawnPerS: Math.round(drawn / drawingS),
    timeOverDrawing: Number((simulatingS / drawingS).toFixed(2)),
    nsPerEvent: Math.round((simulatingS * 1e9) / events),
    peakMemoryMiB: Math.round(peakKiB / 1024),
  }),
);

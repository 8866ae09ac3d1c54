/**
 * Draws the traffic of presets in this process, on the built code as it ships, and nothing else. Reads
 * {preset, days, sessions, repeats, seed} from stdin, prints one JSON object.
 */
import "../../dist/node/v8-flags.js";
import { readFileSync } from "node:fs";
import { Resolution } from "../../dist/experiment/resolution.js";
import { resolveTraffic } from "../../dist/experiment/resolve-traffic.js";
import { TrafficSchema } from "../../dist/experiment/schema.js";
import { loadCatalog } from "../../dist/node/catalog-files.js";
import { openTraffic } from "../../dist/traffic/open.js";

const { preset, days, sessions, repeats, seed } = JSON.parse(readFileSync(0, "utf8"));
const { catalog } = await loadCatalog(["traffic"]);
const startEpochS = 1_793_577_600; // Monday 2026-11-02
const horizonS = days * 86_400;
const file = TrafficSchema.parse({ preset, sessions });
const period = { startEpochS, fromEpochS: startEpochS, toEpochS: startEpochS + horizonS };
const traffic = resolveTraffic(new Resolution(catalog, { traffic: file }, [], catalog.asOf), file, [], null, period);
const options = { startEpochS, warmupS: 0, horizonS, seed, replication: 0, classShares: [1] };

let drawingS = Infinity;
let requests = 0;
for (let repeat = 0; repeat < repeats; repeat++) {
  const startMs = performance.now();
  requests = 0;
  const cursor = openTraffic(traffic, options);
  if (traffic.sessions === undefined) for (; cursor.timeS < Infinity; cursor.advance()) requests++;
  else {
    // Answers take five seconds, so that hundreds are under way.
    const underWay = { requests: new Float64Array(65_536), endsS: new Float64Array(65_536), first: 0, next: 0 };
    const answer = () =>
      cursor.onComplete(underWay.requests[underWay.first & 65_535], underWay.endsS[underWay.first++ & 65_535]);
    for (;;) {
      const { first, next } = underWay;
      if (first < next && underWay.endsS[first & 65_535] <= cursor.timeS) answer();
      else if (cursor.timeS === Infinity) break;
      else {
        underWay.requests[next & 65_535] = cursor.request;
        underWay.endsS[next & 65_535] = cursor.timeS + 5;
        underWay.next++;
        requests++;
        cursor.advance();
      }
    }
  }
  drawingS = Math.min(drawingS, (performance.now() - startMs) / 1000);
}
// High-water mark of this process's resident memory.
const peakKiB = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
console.log(
  JSON.stringify({
    requests,
    requestsPerS: Math.round(requests / drawingS),
    peakMemoryMiB: Math.round(peakKiB / 1024),
  }),
);

/**
 * `npm run bench`: simulated requests per second on one core, against drawing the same traffic alone, with peak memory;
 * and reading Parquet. Timings are the fastest of three, since the machine is shared. Never part of `npm test`.
 *   --json   for machines      --only ID   ids that begin so      --seed S      --requests N
 */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { benchFleet, type FleetBench } from "./fleet.ts";
import { benchParquet, type ParquetBench } from "./parquet.ts";
import { FLEET_SCENARIOS } from "./scenarios.ts";

const PARQUET = "parquet-read-5m";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    seed: { type: "string", default: "7" },
    requests: { type: "string" },
  },
});
const requests = values.requests === undefined ? null : Number(values.requests);
if (requests !== null && !(Number.isInteger(requests) && requests > 0))
  throw new Error("--requests wants a whole number");

execFileSync("npm", ["run", "--silent", "build"], { stdio: ["ignore", "ignore", "inherit"] });
const fleets = FLEET_SCENARIOS.filter(({ id }) => id.startsWith(values.only));
const parquet = PARQUET.startsWith(values.only);
if (fleets.length === 0 && !parquet) throw new Error(`no scenario begins with ${values.only}`);
const scenarios: (FleetBench | ParquetBench)[] = [];
for (const fleet of fleets) report(benchFleet(fleet, requests, values.seed));
if (parquet) report(await benchParquet());
if (values.json) console.log(JSON.stringify({ scenarios }));

function report(result: FleetBench | ParquetBench): void {
  scenarios.push(result);
  if (values.json) return;
  const speed = `${result.requestsPerS.toLocaleString("en-US")} ${"requests" in result ? "requests" : "rows"}/s`;
  const rest =
    "requests" in result
      ? `${result.drawnPerS.toLocaleString("en-US")} drawn/s, ${result.timeOverDrawing} × drawing, ${result.nsPerEvent} ns/event, ${result.requests.toLocaleString("en-US")} requests`
      : "";
  console.log(
    `${result.id.padEnd(30)} ${speed.padStart(22)}  ${String(result.peakMemoryMiB).padStart(4)} MiB  ${rest}`,
  );
}

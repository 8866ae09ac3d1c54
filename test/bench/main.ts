/**
 * `npm run bench`: simulated requests per second on one core, against drawing the same traffic alone, with peak memory;
 * drawing presets, attempts at API offers, reading Parquet and importing traces. Timings are the fastest of three, since the machine is shared. Never part
 * of `npm test`.
 *   --json   for machines      --only ID   ids that begin so      --seed S      --requests N
 */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { ATTEMPT_SCENARIOS, benchAttempts, type AttemptsBench } from "./attempts.ts";
import { benchDrawing, DRAWING_SCENARIOS, type DrawingBench } from "./drawing.ts";
import { benchFleet, type FleetBench } from "./fleet.ts";
import { benchParquet, type ParquetBench } from "./parquet.ts";
import { FLEET_SCENARIOS } from "./scenarios.ts";
import { benchTraceImport, TRACE_IMPORTS, type TraceImportBench } from "./trace-import.ts";

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
const drawings = DRAWING_SCENARIOS.filter(({ id }) => id.startsWith(values.only));
const attempts = ATTEMPT_SCENARIOS.filter(({ id }) => id.startsWith(values.only));
const imports = TRACE_IMPORTS.filter((id) => id.startsWith(values.only));
if (fleets.length + drawings.length + attempts.length + imports.length === 0 && !parquet)
  throw new Error(`no scenario begins with ${values.only}`);
type Bench = FleetBench | DrawingBench | AttemptsBench | ParquetBench | TraceImportBench;
const scenarios: Bench[] = [];
for (const fleet of fleets) report(benchFleet(fleet, requests, values.seed));
for (const drawing of drawings) report(benchDrawing(drawing, values.seed));
for (const scenario of attempts) report(benchAttempts(scenario, requests, values.seed));
if (parquet) report(await benchParquet());
for (const id of imports) report(await benchTraceImport(id));
if (values.json) console.log(JSON.stringify({ scenarios }));

function report(result: Bench): void {
  scenarios.push(result);
  if (values.json) return;
  const speed = `${result.requestsPerS.toLocaleString("en-US")} ${"requests" in result ? "requests" : "attempts" in result ? "attempts" : "rows"}/s`;
  const rest =
    "timeOverDrawing" in result
      ? `${result.drawnPerS.toLocaleString("en-US")} drawn/s, ${result.timeOverDrawing} × drawing, ${result.nsPerEvent} ns/event, ${result.requests.toLocaleString("en-US")} requests`
      : "nsPerEvent" in result
        ? `${result.nsPerEvent} ns/attempt, ${result.admittedFraction} admitted, memory +${result.memoryGrowthMiB} MiB, ${result.attempts.toLocaleString("en-US")} attempts`
        : "";
  console.log(
    `${result.id.padEnd(30)} ${speed.padStart(22)}  ${String(result.peakMemoryMiB).padStart(4)} MiB  ${rest}`,
  );
}

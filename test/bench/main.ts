/**
 * `npm run bench`: simulated requests per second on one core, against drawing the same traffic alone, with peak memory;
 * drawing presets, reading Parquet and importing traces. Timings are the fastest of three, since the machine is shared. Never part
 * of `npm test`.
 *   --json   for machines      --only ID   ids that begin so      --seed S      --requests N
 */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
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
const imports = TRACE_IMPORTS.filter((id) => id.startsWith(values.only));
if (fleets.length + drawings.length + imports.length === 0 && !parquet)
  throw new Error(`no scenario begins with ${values.only}`);
const scenarios: (FleetBench | DrawingBench | ParquetBench | TraceImportBench)[] = [];
for (const fleet of fleets) report(benchFleet(fleet, requests, values.seed));
for (const drawing of drawings) report(benchDrawing(drawing, values.seed));
if (parquet) report(await benchParquet());
for (const id of imports) report(await benchTraceImport(id));
if (values.json) console.log(JSON.stringify({ scenarios }));

function report(result: FleetBench | DrawingBench | ParquetBench | TraceImportBench): void {
  scenarios.push(result);
  if (values.json) return;
  const speed = `${result.requestsPerS.toLocaleString("en-US")} ${"requests" in result ? "requests" : "rows"}/s`;
  const rest =
    "timeOverDrawing" in result
      ? `${result.drawnPerS.toLocaleString("en-US")} drawn/s, ${result.timeOverDrawing} × drawing, ${result.nsPerEvent} ns/event, ${result.requests.toLocaleString("en-US")} requests`
      : "";
  console.log(
    `${result.id.padEnd(30)} ${speed.padStart(22)}  ${String(result.peakMemoryMiB).padStart(4)} MiB  ${rest}`,
  );
}

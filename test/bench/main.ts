/**
 * `npm run bench`: simulated requests per second on one core, against drawing the same traffic alone, with peak memory;
 * and reading Parquet. Timings are the fastest of three, since the machine is shared. Never part of `npm test`.
 *   --json   for machines      --only ID   ids that begin so      --seed S      --requests N
 */
import { execFileSync, spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { benchFleet, type FleetBench } from "./fleet.ts";
import { benchParquet } from "./parquet.ts";
import { FLEET_SCENARIOS } from "./scenarios.ts";

const PARQUET = "parquet-read-5m";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    seed: { type: "string", default: "7" },
    requests: { type: "string" },
    child: { type: "string" },
  },
});
const requests = values.requests === undefined ? null : Number(values.requests);
if (requests !== null && !(Number.isInteger(requests) && requests > 0))
  throw new Error("--requests wants a whole number");

if (values.child !== undefined) {
  console.log(JSON.stringify(await benchFleet(values.child, requests, values.seed)));
} else {
  execFileSync("npm", ["run", "--silent", "build"], { stdio: ["ignore", "ignore", "inherit"] });
  const wanted = [...FLEET_SCENARIOS.map(({ id }) => id), PARQUET].filter((id) => id.startsWith(values.only));
  if (wanted.length === 0) throw new Error(`no scenario begins with ${values.only}`);
  const scenarios: (FleetBench | Awaited<ReturnType<typeof benchParquet>>)[] = [];
  for (const id of wanted) {
    const result = id === PARQUET ? await benchParquet() : inProcess(id);
    scenarios.push(result);
    if (!values.json) console.log(line(result));
  }
  if (values.json) console.log(JSON.stringify({ scenarios }));
}

/** A fleet scenario in a process of its own. */
function inProcess(id: string): FleetBench {
  const flags = ["--import", "tsx", process.argv[1]!, "--child", id, "--seed", values.seed];
  if (requests !== null) flags.push("--requests", String(requests));
  const child = spawnSync(process.execPath, flags, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (child.status !== 0) throw new Error(`${id} ended with ${child.status}`);
  return JSON.parse(child.stdout) as FleetBench;
}

function line(result: FleetBench | Awaited<ReturnType<typeof benchParquet>>): string {
  const speed = `${result.requestsPerS.toLocaleString("en-US")} ${"requests" in result ? "requests" : "rows"}/s`;
  const rest =
    "requests" in result
      ? `${result.timeOverDrawing} × drawing, ${result.nsPerEvent} ns/event, ${result.requests.toLocaleString("en-US")} requests`
      : "";
  return `${result.id.padEnd(30)} ${speed.padStart(22)}  ${String(result.peakMemoryMiB).padStart(4)} MiB  ${rest}`;
}

/**
 * One import in this process, on the built code as it ships. Arguments: source, target. Prints one JSON object. Plain
 * JavaScript, so that no TypeScript loader stands between Node and the code that is timed.
 */
import { importTrace } from "../../dist/io/traces/import.js";

const [file, target] = process.argv.slice(2);
const startMs = performance.now();
await importTrace({ files: [file], target, format: null, columns: null, timeUnit: "s", sort: false });
const seconds = (performance.now() - startMs) / 1000;
process.stdout.write(JSON.stringify({ seconds, peakMemoryMiB: Math.round(process.resourceUsage().maxRSS / 1024) }));

/** Drawing the traffic of a preset in a process of its own: what `drawing-child.mjs` prints. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface DrawingScenario {
  readonly id: string;
  readonly preset: string;
  readonly days: number;
}

/** One stream, one that switches, many clients; and how time and memory go with the days. */
export const DRAWING_SCENARIOS: readonly DrawingScenario[] = [
  { id: "draw-rag", preset: "rag", days: 20 },
  { id: "draw-chat-consumer", preset: "chat-consumer", days: 5 },
  { id: "draw-code-completion", preset: "code-completion", days: 10 },
  { id: "draw-api-midsize", preset: "api-midsize", days: 3 },
  { id: "days-365-drawn", preset: "chat-consumer", days: 365 },
];

export interface DrawingBench {
  readonly id: string;
  readonly requests: number;
  readonly requestsPerS: number;
  readonly peakMemoryMiB: number;
}

export function benchDrawing({ id, preset, days }: DrawingScenario, seed: string): DrawingBench {
  const child = spawnSync(process.execPath, [fileURLToPath(new URL("drawing-child.mjs", import.meta.url))], {
    input: JSON.stringify({ preset, days, repeats: days > 100 ? 1 : 3, seed }),
    encoding: "utf8",
    stdio: ["pipe", "pipe", "inherit"],
  });
  if (child.status !== 0) throw new Error(`${id} ended with ${child.status}`);
  return { id, ...(JSON.parse(child.stdout) as Omit<DrawingBench, "id">) };
}

/** Drawing the traffic of a preset in a process of its own: what `drawing-child.mjs` prints. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface DrawingScenario {
  readonly id: string;
  readonly preset: string;
  readonly days: number;
  /** In place of those of the preset. */
  readonly sessions?: unknown;
}

/** Conversations of three turns in the mean. */
const CHAT_SESSIONS = {
  turns: { mean: 3, max: 64 },
  thinkTimeS: { medianS: 41, sigma: 1.15 },
  newInput: { kind: "lognormal", medianTokens: 60, sigma: 1, maxTokens: 4000 },
  maxContextTokens: 32_000,
};

/** One stream, one that switches, many clients; sessions; and how time and memory go with the days. */
export const DRAWING_SCENARIOS: readonly DrawingScenario[] = [
  { id: "draw-rag", preset: "rag", days: 20, sessions: "none" },
  { id: "draw-chat-consumer", preset: "chat-consumer", days: 5 },
  { id: "draw-code-completion", preset: "code-completion", days: 10 },
  { id: "draw-api-midsize", preset: "api-midsize", days: 3 },
  { id: "draw-sessions-chat", preset: "chat-consumer", days: 3, sessions: CHAT_SESSIONS },
  { id: "draw-sessions-rag", preset: "rag", days: 20 },
  { id: "draw-sessions-coding-agent", preset: "coding-agent", days: 20 },
  { id: "days-365-drawn", preset: "chat-consumer", days: 365 },
];

export interface DrawingBench {
  readonly id: string;
  readonly requests: number;
  readonly requestsPerS: number;
  readonly peakMemoryMiB: number;
}

export function benchDrawing({ id, preset, days, sessions }: DrawingScenario, seed: string): DrawingBench {
  const child = spawnSync(process.execPath, [fileURLToPath(new URL("drawing-child.mjs", import.meta.url))], {
    input: JSON.stringify({ preset, days, sessions, repeats: days > 100 ? 1 : 3, seed }),
    encoding: "utf8",
    stdio: ["pipe", "pipe", "inherit"],
  });
  if (child.status !== 0) throw new Error(`${id} ended with ${child.status}`);
  return { id, ...(JSON.parse(child.stdout) as Omit<DrawingBench, "id">) };
}

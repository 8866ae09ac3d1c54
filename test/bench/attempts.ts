/** Attempts at API offers in a process of their own: what `attempts-child.mjs` prints. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface AttemptsScenario {
  readonly id: string;
  /** Attempted in turn: offers of one kind of limit stay fast for the wrong reason. */
  readonly offers: readonly string[];
}

/** Three limits and a price; and as many kinds of limit as there are, so that no call site knows just one. */
export const ATTEMPT_SCENARIOS: readonly AttemptsScenario[] = [
  { id: "api-attempts", offers: ["anthropic/claude-haiku-4-5@tier-4"] },
  {
    id: "api-attempts-mixed",
    offers: [
      "anthropic/claude-haiku-4-5@scale",
      "openai/gpt-5-mini@tier-5",
      "google/gemini-2.5-flash@tier-3",
      "google/gemini-2.5-flash@vertex-tier-3",
      "groq/llama-3.3-70b@developer",
    ],
  },
];

export interface AttemptsBench {
  readonly id: string;
  /** Each with its end and its bill. */
  readonly attempts: number;
  readonly requestsPerS: number;
  readonly nsPerEvent: number;
  readonly admittedFraction: number;
  readonly peakMemoryMiB: number;
  /** Over the last nine tenths of the attempts; flat is below a few MiB. */
  readonly memoryGrowthMiB: number;
}

export function benchAttempts({ id, offers }: AttemptsScenario, wanted: number | null, seed: string): AttemptsBench {
  const attempts = wanted ?? 10_000_000;
  const child = spawnSync(
    process.execPath,
    ["--expose-gc", fileURLToPath(new URL("attempts-child.mjs", import.meta.url))],
    {
      input: JSON.stringify({ offers, attempts, seed, repeats: attempts > 10_000_000 ? 1 : 3 }),
      encoding: "utf8",
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  if (child.status !== 0) throw new Error(`${id} ended with ${child.status}`);
  return { id, ...(JSON.parse(child.stdout) as Omit<AttemptsBench, "id">) };
}

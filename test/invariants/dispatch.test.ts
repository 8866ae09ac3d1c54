/** The invariants over random runs in which clients, breakers, hedges and dispatch policies are at work, each of them reached. */
import { expect, test } from "vitest";
import { checkRun } from "./check-run.ts";
import { randomDispatchRun, type WatchedRun } from "./random-runs.ts";

const RUNS = 150;

test(`the invariants hold in ${RUNS} random runs with clients and dispatch of all kinds, each reached`, () => {
  const reached = new Map<string, number>();
  const failed: string[] = [];
  for (let number = 0; number < RUNS; number++) {
    try {
      const run = randomDispatchRun(number);
      for (const [name, times] of Object.entries(mechanisms(run)))
        if (times > 0) reached.set(name, (reached.get(name) ?? 0) + 1);
      checkRun(run);
    } catch (error) {
      failed.push(`run ${number}: ${String(error).replaceAll(/\s+/g, " ").slice(0, 300)}`);
    }
  }
  console.log(`dispatch, runs of ${RUNS}: ${[...reached].map(([name, n]) => `${name} ${n}`).join(", ")}`);
  expect(failed.slice(0, 5), `${failed.length} runs broke an invariant`).toEqual([]);
  for (const name of Object.keys(mechanisms(randomDispatchRun(0))))
    expect(reached.get(name) ?? 0, `runs that reached: ${name}`).toBeGreaterThan(3);
});

function mechanisms({ strategy: plan, result }: WatchedRun): Record<string, number> {
  const all = (name: keyof (typeof result.targets)[number], kind: "pool" | "offer" | null): number =>
    result.targets.reduce((sum, target, t) => {
      const isPool = t < plan.pools.length;
      return sum + (kind === null || (kind === "pool") === isPool ? target[name] : 0);
    }, 0);
  return {
    timedOutInPool: all("timedOut", "pool"),
    timedOutAtOffer: all("timedOut", "offer"),
    abandonedInPool: all("abandoned", "pool"),
    abandonedAtOffer: all("abandoned", "offer"),
    skipped: all("skipped", null),
    breakerOpen: all("breakerOpenS", null),
    hedges: all("hedges", null),
    hedgesWon: all("hedgesWon", null),
    cancelledInPool: all("cancelled", "pool"),
    cancelledAtOffer: all("cancelled", "offer"),
    unusedUsd: all("unusedUsd", null),
    retriesDenied: result.retriesDenied,
  };
}

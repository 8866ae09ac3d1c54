/** What came of the attempts at each target of a strategy, over its runs. */
import type { RunResult, TargetResult } from "../outcome/run-result.ts";
import type { ResolvedStrategy } from "../scenario/resolved.ts";
import { estimate, ratioOrNull } from "./estimate.ts";
import type { Estimate, TargetSummary } from "./findings.ts";

/** `months` is the length of a run. */
export function summariseTargets(
  strategy: ResolvedStrategy,
  runs: readonly RunResult[],
  months: number,
): TargetSummary[] {
  return [...strategy.pools, ...strategy.offers].map(({ name }, t): TargetSummary => {
    const by = (value: (target: TargetResult) => number): Estimate =>
      estimate(runs.map((run) => value(run.targets[t]!)));
    const of = (key: keyof TargetResult): Estimate => by((target) => target[key]);
    return {
      name,
      kind: t < strategy.pools.length ? "pool" : "offer",
      attempts: of("attempts"),
      taken: of("taken"),
      rateLimited: of("rateLimited"),
      full: of("full"),
      failed: of("failed"),
      absent: of("absent"),
      oversize: of("oversize"),
      timedOut: of("timedOut"),
      abandoned: of("abandoned"),
      lost: of("lost"),
      hedges: of("hedges"),
      hedgesWon: of("hedgesWon"),
      cancelled: of("cancelled"),
      skipped: of("skipped"),
      breakerOpenMinutes: by(({ breakerOpenS }) => breakerOpenS / 60),
      retryAfterS: ratioOrNull(
        runs.map(({ targets }) => targets[t]!.retryAfterS),
        runs.map(({ targets }) => targets[t]!.rateLimited),
      ),
      usdPerMonth: by(({ usd }) => usd / months),
      unusedUsdPerMonth: by(({ unusedUsd }) => unusedUsd / months),
    };
  });
}

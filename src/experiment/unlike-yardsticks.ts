/** Where pools of one experiment are measured by yardsticks of their own, so that a part of what they differ by is of these: a line each. */
import type { ResolvedStrategy } from "../scenario/resolved.ts";

type Pool = ResolvedStrategy["pools"][number];

export function unlikeYardsticks(strategies: readonly Pick<ResolvedStrategy, "name" | "pools">[]): string[] {
  const pools = strategies.flatMap(({ name, pools: own }) =>
    own.map((pool) => ({ pool, at: `${name} (${pool.name})` })),
  );
  const listed = (of: typeof pools): string => of.map(({ at }) => at).join(", ");
  const told: string[] = [];

  const physical = pools.filter(({ pool }) => pool.stepTimeTable === null);
  const finest = physical.filter(({ pool }) => isOfOneModel(pool));
  const wider = physical.filter(({ pool }) => !isOfOneModel(pool));
  if (finest.length > 0 && wider.length > 0)
    told.push(
      `step times of ${listed(finest)} come from sets fitted on that very model, GPU and format, those of ${listed(wider)} from wider ones: what the two differ by holds the errors of both (crossover validate prints them)`,
    );

  for (const deployment of new Set(physical.map(({ pool }) => deploymentOf(pool)))) {
    const own = physical.filter(({ pool }) => deploymentOf(pool) === deployment);
    const { engine } = own[0]!.pool.engine;
    const versions = versionsOf(own);
    if (versions.length < 2) continue;
    const timed = own.filter(({ pool }) => hasHostTimes(pool));
    if (timed.length === 0)
      told.push(
        `${engine} ${versions.join(" and ")} have the same step times: what they differ by is their schedulers and their memory`,
      );
    else if (timed.length < own.length)
      told.push(
        `the profile of ${engine} ${versionsOf(timed).join(", ")} in ${listed(timed)} holds the times of the host that it was fitted on, and those of ${listed(own.filter(({ pool }) => !hasHostTimes(pool)))} leave the host out: their difference is of hosts, not of versions`,
      );
  }
  return told;
}

/** Pools of one have one set of coefficients. */
function deploymentOf({ engine, coefficients }: Pool): string {
  return JSON.stringify([engine.engine, coefficients]);
}

function versionsOf(pools: readonly { readonly pool: Pool }[]): string[] {
  return [...new Set(pools.map(({ pool }) => pool.engine.engineVersion))];
}

function isOfOneModel({ coefficients }: Pool): boolean {
  return coefficients.scope.includes("gpu+engine+model+dtype");
}

function hasHostTimes({ engine }: Pool): boolean {
  return (engine.stepMs ?? 0) > 0 || (engine.prefillMsPerToken ?? 0) > 0;
}

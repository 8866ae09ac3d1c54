/**
 * The team and what people cost. Until incidents make work for simulated people, the work of a month is declared:
 *   opsHours = hoursPerIncident·incidents + releaseHours·releases + upgradeHours·upgrades + nodeHours·nodes + fixedHours
 *   fte = max(minFte, opsHours / (operationalFraction·hoursPerFteMonth))
 */
import { hintFor } from "../catalog/nearest.ts";
import { gpusPerReplica } from "../engine/parallelism.ts";
import type { Resolution } from "./resolution.ts";
import type { PeopleCost, ResolvedExperiment, ResolvedStrategy, TeamLevels } from "../scenario/resolved.ts";
import type { ExperimentFile } from "./schema.ts";

type TeamFile = NonNullable<ExperimentFile["team"]>;
type ResolvedTeam = NonNullable<ResolvedExperiment["team"]>;

const CUSTOM = "declared levels";

/** Null when neither a known preset nor levels are given; the problems are in `resolution` then. */
export function resolveTeam(resolution: Resolution, file: TeamFile): ResolvedTeam | null {
  resolution.fromFile("team.rotaOk", ["team", "rotaOk"]);
  if ((file.preset === undefined) === (file.levels === undefined)) {
    resolution.problem(
      ["team"],
      "needs either a preset or levels",
      `presets: ${[...resolution.catalog.teams.keys()].join(", ")}`,
    );
    return null;
  }
  if (file.levels !== undefined) {
    resolution.from("team.preset", "derived");
    resolution.from("team.levels", "file");
    return { preset: CUSTOM, levels: file.levels, rotaOk: file.rotaOk };
  }
  const entry = resolution.find("teams", file.preset!, ["team", "preset"]);
  if (entry === null) return null;
  resolution.from("team.preset", "file");
  resolution.from("team.levels", `preset:${entry.id}`);
  resolution.useEntry(
    "teams",
    entry,
    Object.keys(entry.levels).map((dimension) => `levels.${dimension}`),
  );
  return { preset: entry.id, levels: entry.levels, rotaOk: file.rotaOk };
}

interface MonthOfWork {
  readonly incidents: number;
  readonly releases: number;
  readonly engineUpgrades: number;
  readonly nodes: number;
}

/** Nobody is named, so nobody is priced: said where own GPUs have a cost that people are missing from. */
export function noPeople(resolution: Resolution, strategies: readonly ResolvedStrategy[]): PeopleCost {
  const pools = strategies.flatMap((strategy) => strategy.pools.map((pool) => ({ strategy: strategy.name, pool })));
  const unpriced = pools.filter(({ pool }) => pool.usdPerGpuHour === null);
  // Without any price the question is one of serving alone.
  if (unpriced.length > 0 && (unpriced.length < pools.length || strategies.some(({ offers }) => offers.length > 0))) {
    const names = unpriced.map(({ strategy, pool }) => `${strategy}.${pool.name}`).join(", ");
    resolution.warn(`no money is shown, and there is no verdict: no gpuPrice is given for ${names}`);
  } else if (unpriced.length === 0 && pools.some(({ pool }) => pool.managed === undefined)) {
    resolution.warn("no team is named: people are not in the cost of own GPUs, and there is no verdict");
  }
  for (const field of ["team", "people.fte", "people.loadedUsdPerYear", "people.preset"])
    resolution.from(field, "default");
  return { fte: 0, loadedUsdPerYear: 0, preset: "none" };
}

/** People for own pools; zero when no strategy has any. */
export function resolvePeople(
  resolution: Resolution,
  file: TeamFile,
  team: ResolvedTeam,
  strategies: readonly ResolvedStrategy[],
): PeopleCost | null {
  const people = [...resolution.catalog.people.values()][0];
  if (people === undefined) {
    resolution.problem(["team"], "the catalogue has no entry of people cost");
    return null;
  }
  const regions = people.loadedUsdPerYear;
  const loaded = Object.hasOwn(regions, file.region) ? regions[file.region] : undefined;
  if (loaded === undefined) {
    resolution.problem(
      ["team", "region"],
      `unknown region "${file.region}"`,
      hintFor(file.region, Object.keys(regions)),
    );
    return null;
  }
  for (const field of ["fte", "preset"]) resolution.from(`people.${field}`, "derived");
  resolution.from("people.loadedUsdPerYear", `catalogue:people/${people.id}`);
  const nodes = Math.max(0, ...strategies.map(nodesOf));
  if (!strategies.some((strategy) => strategy.pools.some((pool) => pool.managed === undefined))) {
    return { fte: 0, loadedUsdPerYear: loaded.typical, preset: team.preset };
  }
  const { levels } = team;
  resolution.useEntry("people", people, [
    "hoursPerIncident",
    `releaseHoursByReleaseLevel.${levels.release}`,
    `upgradeHoursByPerfLevel.${levels.perf_engineering}`,
    `minFteByPlatformLevel.${levels.platform}`,
    "nodeHoursPerMonth",
    "fixedHoursPerMonth",
    "operationalFraction",
    "hoursPerFteMonth",
    `loadedUsdPerYear.${file.region}.typical`,
  ]);
  const work = {
    incidents: file.incidentsPerMonth,
    releases: file.releasesPerMonth,
    engineUpgrades: file.engineUpgradesPerMonth,
    nodes,
  };
  const fte = peopleFte(people, levels, work);
  const note = {
    kind: "derived",
    source: "declared work of a month and the team's levels",
    asOf: people.asOf,
  } as const;
  resolution.assume({
    id: "derived/people/nodes",
    label: "nodes of the largest own fleet; an automatic pool counts as one node",
    value: nodes,
    unit: "",
    ...note,
  });
  resolution.assume({
    id: "derived/people/fte",
    label: "people who run the own fleet",
    value: fte,
    unit: "FTE",
    ...note,
  });
  return { fte, loadedUsdPerYear: loaded.typical, preset: team.preset };
}

/** Full-time equivalents for a month of work. */
export function peopleFte(
  people: {
    readonly hoursPerIncident: number;
    readonly releaseHoursByReleaseLevel: readonly number[];
    readonly upgradeHoursByPerfLevel: readonly number[];
    readonly minFteByPlatformLevel: readonly number[];
    readonly nodeHoursPerMonth: number;
    readonly fixedHoursPerMonth: number;
    readonly operationalFraction: number;
    readonly hoursPerFteMonth: number;
  },
  levels: TeamLevels,
  work: MonthOfWork,
): number {
  const opsHours =
    people.hoursPerIncident * work.incidents +
    people.releaseHoursByReleaseLevel[levels.release]! * work.releases +
    people.upgradeHoursByPerfLevel[levels.perf_engineering]! * work.engineUpgrades +
    people.nodeHoursPerMonth * work.nodes +
    people.fixedHoursPerMonth;
  return Math.max(
    people.minFteByPlatformLevel[levels.platform]!,
    opsHours / (people.operationalFraction * people.hoursPerFteMonth),
  );
}

function nodesOf(strategy: ResolvedStrategy): number {
  return strategy.pools.reduce((sum, pool) => {
    if (pool.managed !== undefined) return sum;
    const replicas = pool.replicas === "auto" ? 1 : pool.replicas;
    return sum + Math.ceil(((replicas + pool.warmReplicas) * gpusPerReplica(pool.engine)) / pool.gpusPerNode);
  }, 0);
}

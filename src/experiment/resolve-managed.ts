/**
 * Private managed: a pool that a vendor's people run, at the preset's place and boundary level and for its markup. What the file
 * says of place, level and region itself stays.
 */
import { find } from "../catalog/catalog.ts";
import { originOf, rowOriginOf } from "../catalog/origin.ts";
import type { CatalogEntry } from "../catalog/schema.ts";
import type { ManagedPool, ScaleToZero } from "../scenario/forms.ts";
import type { ResolvedPool } from "../scenario/resolved.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { PoolFile, StrategyFile } from "./schema.ts";

/** The strategy with what managed presets say filled into its pools, for everything that reads pools after this. */
export function withManagedPools(resolution: Resolution, file: StrategyFile, path: Path): StrategyFile {
  if (Object.values(file.pools).every(({ managed }) => managed === undefined)) return file;
  const pools = Object.entries(file.pools).map(([name, pool]) => {
    if (pool.managed === undefined) return [name, pool];
    const at = [...path, "pools", name];
    const entry = resolution.find("managed", pool.managed, [...at, "managed"]);
    return [name, entry === null ? pool : filledIn(resolution, pool, entry, at)];
  });
  return { ...file, pools: Object.fromEntries(pools) as StrategyFile["pools"] };
}

function filledIn(resolution: Resolution, pool: PoolFile, entry: CatalogEntry<"managed">, path: Path): PoolFile {
  const own = (field: string): boolean => resolution.declared([...path, field]);
  const gpu = find(resolution.catalog, "gpus", pool.gpu);
  const rate = gpu.ok ? ownRate(entry, gpu.value.id) : undefined;
  const origin = rate === undefined ? null : rowOriginOf(entry, "rates", rate);
  if (rate !== undefined && origin !== null && !own("gpuPrice")) {
    resolution.useValue(
      `managed/${entry.id}/rates/${rate.gpu}`,
      `${entry.name}: rate of ${rate.gpu}`,
      rate.usdPerGpuHour,
      "usdPerGpuHour",
      origin,
    );
    resolution.noteAge(`GPU price of ${entry.id}`, origin.asOf);
  }
  if (!own("boundaryLevel"))
    resolution.useValue(
      `managed/${entry.id}/boundaryLevel`,
      `${entry.name}: boundary level`,
      entry.boundaryLevel,
      "boundaryLevel",
      originOf(entry, "boundaryLevel"),
    );
  return {
    ...pool,
    place: own("place") ? pool.place : entry.place,
    boundaryLevel: pool.boundaryLevel ?? entry.boundaryLevel,
    ...(entry.residency === undefined ? {} : { residency: pool.residency ?? entry.residency }),
    ...(rate === undefined || own("gpuPrice") ? {} : { gpuPrice: { usdPerGpuHour: rate.usdPerGpuHour } }),
  };
}

/** The vendor's own rate for a GPU, by its id. */
function ownRate(entry: CatalogEntry<"managed">, gpu: string): CatalogEntry<"managed">["rates"][number] | undefined {
  return entry.rates.find((rate) => rate.gpu === gpu);
}

/** The resolved pool with its vendor's markup and its way to stop while idle. */
export function managedPool(
  resolution: Resolution,
  pool: ResolvedPool,
  file: PoolFile,
  path: Path,
  at: string,
): ResolvedPool {
  const entry = file.managed === undefined ? null : resolution.find("managed", file.managed, [...path, "managed"]);
  const scaleToZero = scaleToZeroOf(resolution, pool, file, entry, path, at);
  return {
    ...pool,
    ...(entry === null ? {} : { managed: managedOf(resolution, pool, entry, path, at) }),
    ...(scaleToZero === null ? {} : { scaleToZero }),
  };
}

function managedOf(
  resolution: Resolution,
  pool: ResolvedPool,
  entry: CatalogEntry<"managed">,
  path: Path,
  at: string,
): ManagedPool {
  resolution.from(`${at}.managed`, `catalogue:managed/${entry.id}`);
  // A rate of the vendor's own is all in.
  const allIn = ownRate(entry, pool.gpu.id) !== undefined && !resolution.declared([...path, "gpuPrice"]);
  if (allIn) return { preset: entry.id, markupUsdPerGpuHour: 0 };
  resolution.useEntry("managed", entry, ["gpuRateFactor"]);
  return { preset: entry.id, markupUsdPerGpuHour: (pool.usdPerGpuHour ?? 0) * (entry.gpuRateFactor - 1) };
}

function scaleToZeroOf(
  resolution: Resolution,
  pool: ResolvedPool,
  file: PoolFile,
  entry: CatalogEntry<"managed"> | null,
  path: Path,
  at: string,
): ScaleToZero | null {
  if (file.scaleToZero === undefined) return null;
  const where = [...path, "scaleToZero"];
  if (entry?.scaleToZero === false) {
    resolution.problem(where, `${entry.id} keeps its GPUs: it does not scale to zero`, "leave it out");
    return null;
  }
  if (file.handOff !== undefined || file.warmReplicas > 0) {
    const what = file.warmReplicas > 0 ? "warm replicas are" : "a pool that hands on is";
    resolution.problem(where, `${what} always there, so that the pool cannot scale to zero`);
    return null;
  }
  resolution.fromFile(`${at}.scaleToZero`, where);
  return {
    idleS: file.scaleToZero.idleMinutes * 60,
    coldStartS: pool.coldStart.provisionS + pool.coldStart.restartS,
    billStartup: entry?.billStartup ?? true,
  };
}

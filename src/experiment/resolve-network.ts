/**
 * Network paths by region: what the way between the users of a class and a pool or offer adds to the round trip within a
 * region, which is the place's or the provider's own figure. Seconds; the table of the catalogue is in milliseconds.
 */
import { hintFor } from "../catalog/nearest.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { ClassFile, ExperimentFile } from "./schema.ts";

/** Entry of `network-paths/` that holds the table. */
const TABLE = "between-regions";

/** By class the region of its users, the traffic's where the class names none; null = not said. Unknown ones are problems. */
export function userRegions(
  resolution: Resolution,
  classes: readonly ClassFile[],
  traffic: ExperimentFile["traffic"],
): (string | null)[] {
  if (traffic.region !== undefined) checkRegion(resolution, traffic.region, ["traffic", "region"]);
  return classes.map(({ region }, i) => {
    if (region !== undefined) checkRegion(resolution, region, ["classes", i, "region"]);
    return region ?? traffic.region ?? null;
  });
}

/** A target as it stands in the file. */
export interface RegionTarget {
  readonly name: string;
  readonly region: string | undefined;
  /** Declared round trip: it holds for all classes, and no path is added. */
  readonly networkMs: number | undefined;
}

/** Seconds that the path adds, by class; undefined where it adds nothing to any. */
export function pathsByClass(
  resolution: Resolution,
  users: readonly (string | null)[],
  { name, region, networkMs }: RegionTarget,
  path: Path,
  at: string,
): readonly number[] | undefined {
  const known = region === undefined || checkRegion(resolution, region, [...path, "region"]);
  if (networkMs !== undefined || !known) return undefined;
  const someUsers = users.some((user) => user !== null);
  if (region === undefined) {
    if (someUsers) resolution.warn(`${name} has no region, so that the path from its users adds nothing`);
    return undefined;
  }
  if (!someUsers) {
    resolution.warn(`the region of ${name} has no effect on latency: no class and no traffic says where users are`);
    return undefined;
  }
  const seconds = users.map((user) => (user === null ? 0 : rttS(resolution, user, region)));
  resolution.from(`${at}.pathSByClass`, `catalogue:network-paths/${TABLE}`);
  return seconds.some((s) => s > 0) ? seconds : undefined;
}

function checkRegion(resolution: Resolution, region: string, path: Path): boolean {
  const known = regions(resolution);
  if (known.includes(region)) return true;
  resolution.problem(path, `unknown region "${region}"`, hintFor(region, known) ?? `one of ${known.join(", ")}`);
  return false;
}

function regions(resolution: Resolution): string[] {
  const { rttMs } = table(resolution);
  return [...new Set(Object.entries(rttMs).flatMap(([from, row]) => [from, ...Object.keys(row)]))];
}

function rttS(resolution: Resolution, from: string, to: string): number {
  if (from === to) return 0;
  const entry = table(resolution);
  const forward = entry.rttMs[from]?.[to];
  const ms = forward ?? entry.rttMs[to]?.[from];
  if (ms === undefined) return 0;
  resolution.useEntry("networkPaths", entry, [forward === undefined ? `rttMs.${to}.${from}` : `rttMs.${from}.${to}`]);
  return ms / 1000;
}

function table(resolution: Resolution) {
  return resolution.catalog.networkPaths.get(TABLE)!; // the shipped catalogue has it, and an override replaces it as a whole
}

/** Which profile of an engine a version has. */
import { find } from "./catalog.ts";
import type { Catalog, CatalogEntry } from "./schema.ts";

type Profile = CatalogEntry<"engines">;
type Version = readonly [major: number, minor: number];

/** What people write for whatever is the newest. */
const NEWEST = /^(latest|nightly|main|master|dev)\b/i;

/**
 * The profile of an engine's version as clients see it (`vllm-0.15` of vllm 0.15.1). Of a version after all that have one it is the newest;
 * of another one without a profile, and without a version, that of the engine. Null = the engine has none.
 */
export function engineProfileOf(catalog: Catalog, engine: string, engineVersion: string): Profile | null {
  const version = versionIn(engineVersion);
  if (version !== null) {
    const named = find(catalog, "engines", `${engine}-${version.join(".")}`);
    if (named.ok) return named.value;
  }
  const whole = catalog.engines.get(engine) ?? null;
  return isNewerThanAll(catalog, engine, engineVersion) ? newestOf(catalog, engine)!.profile : whole;
}

/** Whether a version of the engine is after all that have a profile: nobody has compared its defaults. */
export function isNewerThanAll(catalog: Catalog, engine: string, engineVersion: string): boolean {
  const newest = newestOf(catalog, engine);
  const version = versionIn(engineVersion);
  if (newest === undefined) return false;
  return version === null ? NEWEST.test(engineVersion) : compared(version, newest.version) > 0;
}

function newestOf(
  catalog: Catalog,
  engine: string,
): { readonly version: Version; readonly profile: Profile } | undefined {
  return [...catalog.engines.values()]
    .flatMap((profile) =>
      [profile.id, ...profile.aliases].flatMap((name) => {
        const version = name.startsWith(`${engine}-`) ? versionIn(name.slice(engine.length + 1)) : null;
        return version === null ? [] : [{ version, profile }];
      }),
    )
    .sort((a, b) => compared(a.version, b.version))
    .at(-1);
}

function versionIn(text: string): Version | null {
  const match = /^v?(\d+)\.(\d+)/.exec(text);
  return match === null ? null : [Number(match[1]), Number(match[2])];
}

function compared(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1];
}

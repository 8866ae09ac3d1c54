/** The dispatch policies that ship, by name. Adding one touches its own file and this list, and `conform.ts` tries it. */
import { cheapest } from "./cheapest.ts";
import { migration } from "./migration.ts";
import { ordered } from "./ordered.ts";
import { overflow } from "./overflow.ts";
import type { DispatchPlugin } from "./policy.ts";
import { qualityFloor } from "./quality-floor.ts";
import { sticky } from "./sticky.ts";
import { weighted } from "./weighted.ts";

/** The policy of a class that names none. */
export const DEFAULT_DISPATCH = ordered.name;

export const dispatchPlugins: readonly DispatchPlugin[] = [
  ordered,
  weighted,
  sticky,
  overflow,
  qualityFloor,
  cheapest,
  migration,
];

export function dispatchNamed(name: string): DispatchPlugin | undefined {
  return dispatchPlugins.find((plugin) => plugin.name === name);
}

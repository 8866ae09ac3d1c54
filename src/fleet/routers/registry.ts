/** The routers that ship, by name. Adding one touches its own file and this list. */
import { leastInFlight } from "./least-in-flight.ts";
import { roundRobin } from "./round-robin.ts";
import type { RouterPlugin } from "./router.ts";
import { sticky } from "./sticky.ts";
import { twoChoices } from "./two-choices.ts";

/** The router of a pool that names none. */
export const DEFAULT_ROUTER = twoChoices.name;

export const routers: readonly RouterPlugin[] = [twoChoices, leastInFlight, roundRobin, sticky];

export function routerNamed(name: string): RouterPlugin | undefined {
  return routers.find((router) => router.name === name);
}

/** Picks the replica of a pool that takes a request. Plug-ins: one file each, entered in `registry.ts`. */
import type { Draw } from "../../kernel/random.ts";

export const NO_REPLICA = -1;

/** What a router may see: who serves, how much each has in flight, and whose turn it routes. Never lengths to come (INV-7). */
export interface RouterView {
  /** Serving replicas are numbered 0 … count − 1, in no lasting order. */
  count(): number;
  /** Requests waiting or running at the i-th of them. */
  inFlight(i: number): number;
  /** Number of the i-th of them that it keeps, 0 … replicas of the pool − 1. */
  replica(i: number): number;
  /** Session of the request to be routed; a request without one has a number of its own. */
  session(): number;
}

export interface Router {
  /** Index of the chosen serving replica; called only when there is one. */
  route(view: RouterView): number;
}

export interface RouterOption {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly doc: string;
  /** A count: fractions are refused. */
  readonly whole?: boolean;
}

export interface RouterPlugin {
  readonly name: string;
  readonly doc: string;
  readonly options: Readonly<Record<string, RouterOption>>;
  create(options: Readonly<Record<string, number>>, draw: Draw): Router;
}

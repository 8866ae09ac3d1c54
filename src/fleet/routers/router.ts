/** Picks the replica of a pool that takes a request. Plug-ins: one file each, entered in `registry.ts`. */
import type { Draw } from "../../kernel/random.ts";

export const NO_REPLICA = -1;

/** What a router may see: who serves and how much each has in flight. Never lengths to come (INV-7). */
export interface RouterView {
  /** Serving replicas are numbered 0 … count − 1, in no lasting order. */
  count(): number;
  /** Requests waiting or running at the i-th of them. */
  inFlight(i: number): number;
}

export interface Router {
  /** Index of the chosen serving replica; called only when there is one. */
  route(view: RouterView): number;
}

export interface RouterPlugin {
  readonly name: string;
  readonly doc: string;
  readonly options: Readonly<
    Record<string, { readonly default: number; readonly min: number; readonly max: number; readonly doc: string }>
  >;
  create(options: Readonly<Record<string, number>>, draw: Draw): Router;
}

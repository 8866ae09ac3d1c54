/** Kinds of rate limit by name. A new kind is a class of this folder, its parameters in `scenario/limits.ts` and one line here. */
import type { LimitKind, LimitKindSpec } from "../../scenario/limits.ts";
import { Adaptive } from "./adaptive.ts";
import { DebtBucket } from "./debt-bucket.ts";
import { FixedWindow } from "./fixed-window.ts";
import { BatchQueue, Concurrency } from "./in-flight.ts";
import { LeakyUtilization } from "./leaky-utilization.ts";
import type { Limit } from "./limit.ts";
import { ReservedSpend, SpendCap } from "./money.ts";
import { Ramp, SoftThreshold } from "./soft.ts";
import { TokenBucket } from "./token-bucket.ts";

type Maker<K extends LimitKind> = (spec: Extract<LimitKindSpec, { kind: K }>, startEpochS: number) => Limit;

const limitKinds: { readonly [K in LimitKind]: Maker<K> } = {
  token_bucket: (spec) => new TokenBucket(spec),
  debt_bucket: (spec) => new DebtBucket(spec),
  fixed_window: (spec, startEpochS) => new FixedWindow(spec, startEpochS),
  leaky_utilization: (spec) => new LeakyUtilization(spec),
  concurrency: (spec) => new Concurrency(spec),
  queue: (spec) => new BatchQueue(spec),
  adaptive: (spec) => new Adaptive(spec),
  reserved_usd_per_min: (spec, startEpochS) => new ReservedSpend(spec, startEpochS),
  spend_cap: (spec, startEpochS) => new SpendCap(spec, startEpochS),
  ramp: (spec) => new Ramp(spec),
  soft_threshold: (spec, startEpochS) => new SoftThreshold(spec, startEpochS),
};

/** Every kind there is. */
export const LIMIT_KINDS = Object.keys(limitKinds) as readonly LimitKind[];

/** A fresh limit of the spec's kind, unused. `startEpochS`: UTC seconds since 1970 at t = 0. */
export function createLimit(spec: LimitKindSpec, startEpochS: number): Limit {
  return (limitKinds[spec.kind] as Maker<LimitKind>)(spec as never, startEpochS);
}

/** Kinds of rate limit by name. A new kind is one file beside this one and one line here. */
import type { LimitSpec } from "../../scenario/resolved.ts";
import { DebtBucket } from "./debt-bucket.ts";
import type { Limit } from "./limit.ts";
import { TokenBucket, type TokenBucketSpec } from "./token-bucket.ts";

const limitKinds: Readonly<Record<LimitSpec["kind"], (spec: TokenBucketSpec) => Limit>> = {
  token_bucket: (spec) => new TokenBucket(spec),
  debt_bucket: (spec) => new DebtBucket(spec),
};

/** A fresh limit of the spec's kind, unused. */
export function createLimit(spec: TokenBucketSpec & Pick<LimitSpec, "kind">): Limit {
  return limitKinds[spec.kind](spec);
}

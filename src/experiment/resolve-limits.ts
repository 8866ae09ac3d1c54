/** The limits of an offer: those of its tier with what the file replaces, adds or takes away. */
import { hintFor } from "../catalog/nearest.ts";
import type { OfferFacts } from "../catalog/offer.ts";
import { originOf, rowOriginOf } from "../catalog/origin.ts";
import { zoneNames, clockOf } from "../kernel/time-zone.ts";
import { NO_CHARGE, type LimitCharge, type LimitKind, type LimitSpec } from "../scenario/limits.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { OfferFile } from "./schema.ts";
import type { LimitFile } from "./schema-limits.ts";

type Values = Readonly<Record<string, unknown>>;

/** Parameters of each kind; those with a value here need not be given. The first is the figure that a tier states. */
const PARAMETERS: { readonly [K in LimitKind]: Values } = {
  token_bucket: { limitPerMin: undefined, burstS: 60 },
  debt_bucket: { limitPerMin: undefined, burstS: 60 },
  fixed_window: { limit: undefined, windowS: undefined, offsetS: 0, zone: null, admitWhen: "fits" },
  leaky_utilization: { units: undefined, inputTpmPerUnit: undefined, depthS: 60 },
  concurrency: { limit: undefined },
  queue: { limit: undefined },
  adaptive: { startPerMin: undefined, minPerMin: undefined, maxPerMin: undefined, burstS: 60 },
  reserved_usd_per_min: { usdPerMin: undefined },
  spend_cap: { usd: undefined, period: undefined },
  ramp: { thresholdPerMin: undefined, growth: 1.5, lookBackS: 900 },
  soft_threshold: { limit: undefined, period: undefined, latencyFactor: 2 },
};
/** Fields that limits of every kind have. */
const SHARED = ["kind", "reserve", "settle", "failedCounts", "scope"];
/** Kinds whose charge is list price. */
const MONEY: readonly LimitKind[] = ["spend_cap", "reserved_usd_per_min"];

/** `at` is the offer's place in the resolved experiment, `path` that in the file. Problems are in `resolution`. */
export function resolveLimits(
  resolution: Resolution,
  wanted: Exclude<OfferFile, string>["limits"],
  facts: OfferFacts,
  path: Path,
  at: string,
): LimitSpec[] {
  if (wanted === "none") {
    resolution.from(`${at}.limits`, "file");
    return [];
  }
  resolution.from(`${at}.limits`, `catalogue:offers/${facts.offer.id}`);
  if (wanted === undefined && facts.limits.length === 0) {
    resolution.warn(`no limits of ${facts.offer.id} are known: it takes whatever comes`);
  }
  const own = wanted ?? {};
  const known = facts.limits.map(({ name }) => name);
  const limits: LimitSpec[] = [];
  for (const limit of facts.limits) {
    const file = own[limit.name];
    if (file === "none") continue;
    const place = `${at}.limits.${limits.length}`;
    const limitPath = [...path, "limits", limit.name];
    if (file === undefined || file.kind === undefined || file.kind === limit.kind) {
      noteOrigins(resolution, facts, limit, file ?? {}, place);
      limits.push(withValues(resolution, limit, file ?? {}, limitPath));
    } else {
      const other = newLimit(resolution, limit.name, file.kind, file, limitPath, place);
      if (other !== null) limits.push(other);
    }
  }
  for (const [name, file] of Object.entries(own)) {
    if (known.includes(name)) continue;
    const limitPath = [...path, "limits", name];
    if (file === "none" || file.kind === undefined) {
      const message = `${facts.offer.id}@${facts.tier} has no limit "${name}"`;
      resolution.problem(limitPath, message, hintFor(name, known) ?? "a limit of your own needs a kind");
    } else {
      const limit = newLimit(resolution, name, file.kind, file, limitPath, `${at}.limits.${limits.length}`);
      if (limit !== null) limits.push(limit);
    }
  }
  return limits;
}

/** The catalogue's values that hold, with their sources. */
function noteOrigins(
  resolution: Resolution,
  { offer, provider, tier }: OfferFacts,
  limit: LimitSpec,
  file: LimitFile,
  at: string,
): void {
  const { name } = limit;
  const rule = provider.limitRules[name]!; // offerFacts has read the limit from it
  const [figure] = Object.keys(PARAMETERS[limit.kind]);
  const values: Values = { ...limit };
  for (const field of [...Object.keys(PARAMETERS[limit.kind]), ...SHARED]) {
    if ((file as Values)[field] !== undefined) {
      resolution.from(`${at}.${field}`, "file");
      continue;
    }
    if (values[field] === undefined || values[field] === null) continue;
    if (field === figure) {
      resolution.useValue(
        `offers/${offer.id}@${tier}/${name}/${field}`,
        `${offer.model} (${tier}): ${name}`,
        values[field],
        field,
        rowOriginOf(offer, `tiers.${tier}`, offer.tiers[tier]!),
      );
    } else if (field === "burstS" || field === "depthS") {
      resolution.useValue(
        `providers/${provider.id}/limitRules/${name}/${field}`,
        `${provider.name}: depth of ${name}`,
        values[field],
        field,
        originOf(provider, `limitRules.${name}.${field}`),
      );
    } else if (field === "reserve") {
      resolution.useValue(
        `providers/${provider.id}/limitRules/${name}/reserve`,
        `${provider.name}: what ${name} charges`,
        shownCharge(limit.reserve),
        "reserve",
        rowOriginOf(provider, `limitRules.${name}`, rule),
      );
    }
  }
}

/** Weights that are not 0, as the catalogue's files write them. */
function shownCharge({ op, ...weights }: LimitCharge): Values {
  const { uncached, cacheRead, cacheWrite, ...rest } = weights;
  const input =
    uncached === cacheRead && uncached === cacheWrite ? { input: uncached } : { uncached, cacheRead, cacheWrite };
  const parts = Object.entries({ requests: rest.requests, ...input, maxOutput: rest.maxOutput, output: rest.output });
  return { ...(op === "max" ? { op } : {}), ...Object.fromEntries(parts.filter(([, weight]) => weight !== 0)) };
}

/** A limit that the catalogue does not know: everything its kind needs must be given. */
function newLimit(
  resolution: Resolution,
  name: string,
  kind: LimitKind,
  file: LimitFile,
  path: Path,
  at: string,
): LimitSpec | null {
  resolution.from(at, "file");
  const parameters = PARAMETERS[kind];
  const missing = Object.keys(parameters).filter(
    (field) => parameters[field] === undefined && (file as Values)[field] === undefined,
  );
  if (!MONEY.includes(kind) && file.reserve === undefined && (kind !== "debt_bucket" || file.settle === undefined)) {
    missing.push(kind === "debt_bucket" ? "settle" : "reserve");
  }
  if (missing.length > 0) {
    resolution.problem(path, `a limit of kind ${kind} needs ${missing.join(", ")}`);
    return null;
  }
  const limit = { kind, name, reserve: NO_CHARGE, settle: null, failedCounts: false, ...parameters };
  return withValues(resolution, limit as unknown as LimitSpec, file, path);
}

function withValues(resolution: Resolution, limit: LimitSpec, file: LimitFile, path: Path): LimitSpec {
  const { reserve, settle, ...values } = file;
  const fields = Object.keys(PARAMETERS[limit.kind]);
  for (const field of Object.keys(values)) {
    if (SHARED.includes(field) || fields.includes(field)) continue;
    resolution.problem([...path, field], `a limit of kind ${limit.kind} has no ${field}`, hintFor(field, fields));
  }
  if (values.zone !== undefined && clockOf(values.zone, 0, 1) === null) {
    const hint = hintFor(values.zone, zoneNames()) ?? "for example America/Los_Angeles or UTC-8";
    resolution.problem([...path, "zone"], `unknown time zone "${values.zone}"`, hint);
  }
  const merged = {
    ...limit,
    ...values,
    ...(reserve === undefined ? {} : { reserve: chargeOf(reserve) }),
    ...(settle === undefined ? {} : { settle: settle === "none" ? null : chargeOf(settle) }),
  } as LimitSpec;
  if (
    merged.kind === "adaptive" &&
    !(merged.minPerMin <= merged.startPerMin && merged.startPerMin <= merged.maxPerMin)
  ) {
    resolution.problem(path, "minPerMin, startPerMin and maxPerMin must not fall");
  }
  if (merged.kind === "ramp" && !(Number.isInteger(merged.lookBackS) && merged.lookBackS <= 86_400)) {
    resolution.problem([...path, "lookBackS"], "expected a whole number of seconds, at most a day");
  }
  return merged;
}

function chargeOf(file: NonNullable<LimitFile["reserve"]>): LimitCharge {
  const { input = 0, ...given } = file;
  const charge = { ...NO_CHARGE, uncached: input, cacheRead: input, cacheWrite: input };
  return {
    ...charge,
    ...(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as object),
  };
}

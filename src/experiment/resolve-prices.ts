/**
 * The prices of an offer over the time of an experiment: the catalogue's rows, a path of cuts, the end of the model and what
 * its replacement costs. USD per million tokens of the offer's own model: a replacement that makes more tokens of the same text
 * costs more for each.
 */
import type { OfferFacts } from "../catalog/offer.ts";
import { WEEK_DAYS } from "../catalog/entries-provider.ts";
import { rowOriginOf } from "../catalog/origin.ts";
import type { CatalogEntry } from "../catalog/schema.ts";
import { DAY_S, epochSOfDate, MONTH_S } from "../kernel/calendar-time.ts";
import type { PriceRow, ResolvedOffer, Successor, TieredPrices, TokenPrices } from "../scenario/resolved.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { OfferFile } from "./schema.ts";

/** Simulated time of an experiment, UTC seconds. */
export interface OfferPeriod {
  readonly startEpochS: number;
  readonly endEpochS: number;
}

type Override = Exclude<OfferFile, string>;
type ResolvedPrices = Pick<ResolvedOffer, "prices" | "priceAsOf"> & { readonly successor?: Successor };

/** Problems are in `resolution`. */
export function resolvePrices(
  resolution: Resolution,
  own: Override,
  facts: OfferFacts,
  period: OfferPeriod,
  path: Path,
  at: string,
): ResolvedPrices {
  const { offer } = facts;
  const used = useRows(resolution, offer, period);
  let priceAsOf = used;
  let prices = priceRows(offer);
  const successor = resolveSuccessor(resolution, own, facts, period, path, at);
  if (successor !== null) {
    const { replacement, tokenizerFactor, ...spec } = successor;
    const replacementAsOf = useRows(resolution, replacement, { ...period, startEpochS: spec.moveEpochS });
    if (replacementAsOf < priceAsOf) priceAsOf = replacementAsOf;
    prices = followedBy(prices, perOwnToken(priceRows(replacement), tokenizerFactor), spec.moveEpochS);
  }
  const cuts = resolvePath(resolution, own, path, at);
  if (cuts !== null) prices = withCuts(prices, cuts, period);
  if (successor === null) return { prices, priceAsOf };
  const { replacement: _, tokenizerFactor: __, ...spec } = successor;
  return { prices, priceAsOf, successor: spec };
}

/** Notes the prices an answer rests on, and their age; the date of the oldest among those in force in the period. */
function useRows(resolution: Resolution, offer: CatalogEntry<"offers">, period: OfferPeriod): string {
  const startS = offer.prices.map(({ from }) => (from === null ? -Infinity : startOfS(from)));
  let oldest: { readonly asOf: string; readonly dated: boolean } | null = null;
  offer.prices.forEach((row, i) => {
    const origin = rowOriginOf(offer, `prices.${i}`, row);
    const from = row.from === null ? "" : `/${row.from}`;
    const since = row.from === null ? "" : ` from ${row.from}`;
    const sets = [
      { id: "", when: "", prices: row as TokenPrices },
      ...(row.timeOfDay ?? []).map((window) => ({
        id: `/${window.fromUtc}-${window.toUtc}`,
        when: `, ${window.fromUtc} to ${window.toUtc} UTC`,
        prices: window as TokenPrices,
      })),
    ];
    for (const { id, when, prices } of sets) {
      for (const field of ["inputUsdPerMTok", "outputUsdPerMTok"] as const) {
        resolution.useValue(
          `offers/${offer.id}${from}${id}/${field}`,
          `${offer.model}: ${field === "inputUsdPerMTok" ? "input" : "output"} price${since}${when}`,
          prices[field],
          field,
          origin,
        );
      }
    }
    const inForce = startS[i]! <= period.endEpochS && (startS[i + 1] ?? Infinity) > period.startEpochS;
    if (inForce && (oldest === null || origin.asOf < oldest.asOf))
      oldest = { asOf: origin.asOf, dated: row.from !== null };
  });
  const { asOf, dated } = oldest ?? { asOf: offer.asOf, dated: false };
  resolution.noteAge(`price of ${offer.id}`, asOf, dated);
  return asOf;
}

/** The catalogue's price rows of an offer in the form that the simulator reads. */
export function priceRows({ prices }: Pick<CatalogEntry<"offers">, "prices">): PriceRow[] {
  return prices.map((row) => ({
    fromEpochS: row.from === null ? null : startOfS(row.from),
    ...tieredPrices(row),
    ...(row.timeOfDay === undefined
      ? {}
      : {
          windows: row.timeOfDay.map((window) => ({
            startMinute: minuteOf(window.fromUtc),
            endMinute: minuteOf(window.toUtc),
            days: (window.days ?? WEEK_DAYS).map((day) => WEEK_DAYS.indexOf(day)),
            ...tieredPrices(window),
          })),
        }),
    ...(row.usdPerRequest === undefined ? {} : { usdPerRequest: row.usdPerRequest }),
  }));
}

const OPTIONAL_PRICES = [
  "cacheReadUsdPerMTok",
  "cacheWriteUsdPerMTok",
  "cacheWrite1hUsdPerMTok",
  "reasoningUsdPerMTok",
] as const;

type WrittenPrices = Pick<TokenPrices, "inputUsdPerMTok" | "outputUsdPerMTok"> & {
  readonly [K in (typeof OPTIONAL_PRICES)[number]]?: number | undefined;
};

function tokenPrices(written: WrittenPrices): TokenPrices {
  const { inputUsdPerMTok, outputUsdPerMTok } = written;
  const known = OPTIONAL_PRICES.flatMap((field) => (written[field] === undefined ? [] : [[field, written[field]]]));
  return { inputUsdPerMTok, outputUsdPerMTok, ...Object.fromEntries(known) };
}

function tieredPrices(
  written: WrittenPrices & { readonly longContext: readonly (WrittenPrices & { readonly aboveInputTokens: number })[] },
): TieredPrices {
  return {
    ...tokenPrices(written),
    longContext: written.longContext.map((tier) => ({ aboveInputTokens: tier.aboveInputTokens, ...tokenPrices(tier) })),
  };
}

function minuteOf(clock: string): number {
  const [hour = 0, minute = 0] = clock.split(":").map(Number);
  return hour * 60 + minute;
}

function startOfS(date: string): number {
  const [year = 1970, month = 1, day = 1] = date.split("-").map(Number);
  return epochSOfDate({ year, month, day });
}

/** Every price times `factor`; the fee per request is none of a token. */
function scaled<Prices extends TieredPrices>(prices: Prices, factor: number, thresholdFactor = 1): Prices {
  const tokens = ({ ...written }: TokenPrices): TokenPrices =>
    Object.fromEntries(
      Object.entries(tokenPrices(written)).map(([field, usd]) => [field, (usd as number) * factor]),
    ) as unknown as TokenPrices;
  return {
    ...prices,
    ...tokens(prices),
    longContext: prices.longContext.map((tier) => ({
      ...tokens(tier),
      aboveInputTokens: tier.aboveInputTokens * thresholdFactor,
    })),
  };
}

function scaledRow(row: PriceRow, factor: number, thresholdFactor = 1): PriceRow {
  const { windows } = row;
  return {
    ...scaled(row, factor, thresholdFactor),
    ...(windows === undefined ? {} : { windows: windows.map((window) => scaled(window, factor, thresholdFactor)) }),
  };
}

function perOwnToken(rows: readonly PriceRow[], tokenizerFactor: number): readonly PriceRow[] {
  return tokenizerFactor === 1 ? rows : rows.map((row) => scaledRow(row, tokenizerFactor, 1 / tokenizerFactor));
}

function inForceAt(rows: readonly PriceRow[], epochS: number): PriceRow | undefined {
  return rows.findLast(({ fromEpochS }) => fromEpochS === null || fromEpochS <= epochS);
}

/** The rows of `first` before `epochS`, and those of `second` from then on. */
function followedBy(first: readonly PriceRow[], second: readonly PriceRow[], epochS: number): PriceRow[] {
  const then = inForceAt(second, epochS);
  return [
    ...first.filter(({ fromEpochS }) => (fromEpochS ?? -Infinity) < epochS),
    ...(then === undefined ? [] : [{ ...then, fromEpochS: epochS }]),
    ...second.filter(({ fromEpochS }) => fromEpochS !== null && fromEpochS > epochS),
  ];
}

interface Cuts {
  readonly factor: number;
  readonly everyMonths: number;
  readonly lagMonths: number;
}

function resolvePath(resolution: Resolution, own: Override, path: Path, at: string): Cuts | null {
  const { pricePath } = own;
  if (pricePath === undefined) return null;
  resolution.from(`${at}.prices`, "file");
  if (typeof pricePath !== "string") return pricePath;
  const entry = resolution.find("pricePaths", pricePath, [...path, "pricePath"]);
  if (entry === null) return null;
  resolution.useEntry("pricePaths", entry, ["factor", "everyMonths", "lagMonths"]);
  return entry;
}

/** The n-th successor comes n × `everyMonths` after the start and serves `lagMonths` later, at `factor`ⁿ of the price. */
function withCuts(rows: readonly PriceRow[], cuts: Cuts, { startEpochS, endEpochS }: OfferPeriod): PriceRow[] {
  const { factor, everyMonths, lagMonths } = cuts;
  const stepS = (n: number): number => startEpochS + Math.round((n * everyMonths + lagMonths) * MONTH_S);
  let n = 1;
  const steps: number[] = [];
  while (stepS(n) < endEpochS) steps.push(stepS(n++));
  const stepsBy = (epochS: number): number => steps.filter((stepEpochS) => stepEpochS <= epochS).length;
  const changes = steps.flatMap((epochS) => {
    const row = inForceAt(rows, epochS);
    return row === undefined ? [] : [{ ...row, fromEpochS: epochS }];
  });
  const unchanged = rows.filter(({ fromEpochS }) => fromEpochS === null || !steps.includes(fromEpochS));
  return [...unchanged, ...changes]
    .map((row) =>
      scaledRow(
        row,
        steps.slice(0, stepsBy(row.fromEpochS ?? -Infinity)).reduce((f) => f * factor, 1),
      ),
    )
    .sort((a, b) => (a.fromEpochS ?? -Infinity) - (b.fromEpochS ?? -Infinity) || 0);
}

type FoundSuccessor = Successor & {
  readonly replacement: CatalogEntry<"offers">;
  readonly tokenizerFactor: number;
};

/** What follows on the model; null where the file does not ask for it, but an end within the period is warned of. */
function resolveSuccessor(
  resolution: Resolution,
  own: Override,
  { offer }: OfferFacts,
  period: OfferPeriod,
  path: Path,
  at: string,
): FoundSuccessor | null {
  const { lifecycle } = offer;
  const { retire } = own;
  if (retire === undefined) {
    if (lifecycle !== undefined) warnOfEnd(resolution, offer.id, lifecycle, period);
    return null;
  }
  const wanted = retire === "announced" ? { lagDays: 0, tokenizerFactor: 1 } : retire;
  const on = ("on" in wanted ? wanted.on : undefined) ?? lifecycle?.retiresOn;
  const name = ("replacement" in wanted ? wanted.replacement : undefined) ?? lifecycle?.replacement;
  const missing = [...(on === undefined ? ["on"] : []), ...(name === undefined ? ["replacement"] : [])];
  if (on === undefined || name === undefined) {
    resolution.problem(
      [...path, "retire"],
      `no end of ${offer.id} has been announced that says it all: ${missing.join(" and ")} must be given`,
    );
    return null;
  }
  const replacementPath = [...path, "retire", "replacement"];
  const replacement = resolution.find("offers", name.replace(/@.*$/, ""), replacementPath);
  const latency = replacement && resolution.find("latencyClasses", replacement.latencyClass, replacementPath);
  if (replacement === null || latency === null) return null;
  if (replacement.provider !== offer.provider) {
    resolution.problem(
      replacementPath,
      `${replacement.id} is sold by another provider; let a route or a migration lead there`,
    );
    return null;
  }
  resolution.from(`${at}.successor`, retire === "announced" ? `catalogue:offers/${offer.id}` : "file");
  if (lifecycle !== undefined && wanted !== retire) {
    resolution.useValue(
      `offers/${offer.id}/lifecycle/retiresOn`,
      `${offer.model}: retires on`,
      lifecycle.retiresOn,
      "retiresOn",
      rowOriginOf(offer, "lifecycle", lifecycle),
    );
  }
  const { tokenizerFactor, lagDays } = wanted;
  const stopEpochS = startOfS(on);
  const { ttftBaseS, ttftSigma, tailProbability, tailMultiple, tailSigma, rateSigma } = latency;
  return {
    replacement,
    tokenizerFactor,
    model: replacement.model,
    stopEpochS,
    moveEpochS: stopEpochS + lagDays * DAY_S,
    contextTokens: Math.floor(contextTokensOf(replacement) / tokenizerFactor),
    latency: {
      ttftBaseS,
      ttftSigma,
      tailProbability,
      tailMultiple,
      tailSigma,
      prefillSPerKTok: latency.prefillSPerKTok * tokenizerFactor,
      tokensPerS: latency.tokensPerS / tokenizerFactor,
      rateSigma,
    },
  };
}

function warnOfEnd(
  resolution: Resolution,
  id: string,
  { retiresOn, replacement }: NonNullable<CatalogEntry<"offers">["lifecycle"]>,
  { startEpochS, endEpochS }: OfferPeriod,
): void {
  const endS = startOfS(retiresOn);
  if (endS >= endEpochS) return;
  const verb = endS <= startEpochS ? "was to retire" : "retires";
  const next = replacement === undefined ? "" : `; ${replacement} is to follow`;
  resolution.warn(`${id} ${verb} on ${retiresOn}, before this experiment ends${next}. See \`retire\` of an offer`);
}

/** Where the catalogue does not know the context, nothing is refused for its length. */
export function contextTokensOf({ contextTokens }: Pick<CatalogEntry<"offers">, "contextTokens">): number {
  return contextTokens ?? Number.MAX_SAFE_INTEGER;
}

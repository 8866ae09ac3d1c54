/**
 * Money appears here first: quantities of one run by calendar month, priced once at the end.
 *   INV-14  the lines add up to the total, and each is quantity × price (API: the sum of what each request cost).
 * Every line has two amounts: `usd` spreads it over the hours that it covers (amortized), `billedUsd` stands in the month in
 * which it is paid (cash). They differ where something is paid in advance. Shared lines (GPUs, people, units) are allocated to
 * classes by weighted tokens served by the pool or offer: an output token costs a pool about four times the work of an input
 * token (assumed).
 */
import type { LedgerTable } from "./series.ts";

export const HOURS_PER_MONTH = 730;
export const OUTPUT_TOKEN_WEIGHT = 4;

/** Replica-hours of one pool in one month; paid = busy + idle + warm + down. */
export interface PoolHours {
  busy: number;
  idle: number;
  warm: number;
  down: number;
}

/** What the requests of one class cost at one offer in one month. */
export interface OfferUsage {
  /** Neither read from nor written to a prompt cache. */
  inputTokens: number;
  cachedTokens: number;
  writtenTokens: number;
  outputTokens: number;
  inputUsd: number;
  cachedUsd: number;
  writtenUsd: number;
  outputUsd: number;
  /** Those that pay a fee of their own. */
  requests: number;
  requestUsd: number;
}

/** Adds what one request cost. */
export function addUsage(to: OfferUsage, billed: OfferUsage): void {
  to.inputTokens += billed.inputTokens;
  to.cachedTokens += billed.cachedTokens;
  to.writtenTokens += billed.writtenTokens;
  to.outputTokens += billed.outputTokens;
  to.inputUsd += billed.inputUsd;
  to.cachedUsd += billed.cachedUsd;
  to.writtenUsd += billed.writtenUsd;
  to.outputUsd += billed.outputUsd;
  to.requests += billed.requests;
  to.requestUsd += billed.requestUsd;
}

function noUsage(): OfferUsage {
  return {
    inputTokens: 0,
    cachedTokens: 0,
    writtenTokens: 0,
    outputTokens: 0,
    inputUsd: 0,
    cachedUsd: 0,
    writtenUsd: 0,
    outputUsd: 0,
    requests: 0,
    requestUsd: 0,
  };
}

/** What the redaction step did for one class in one month. */
export interface RedactionUse {
  requests: number;
  usd: number;
}

export interface PoolPrice {
  readonly name: string;
  readonly gpusPerReplica: number;
  readonly usdPerGpuHour: number;
  /** What a vendor adds who runs it, on every paid hour. */
  readonly markupUsdPerGpuHour: number;
}

/** One calendar month of an offer: how far the run reaches into it, and what its requests used and cost, all classes together. */
export interface OfferMonth {
  /** Simulated seconds from t = 0. */
  readonly fromS: number;
  readonly toS: number;
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly writtenTokens: number;
  readonly outputTokens: number;
  readonly usageUsd: number;
}

/** A line beside those of the tokens. */
export interface OfferCharge {
  readonly line: string;
  readonly quantity: number;
  readonly unit: string;
  readonly usd: number;
  readonly billedUsd: number;
  readonly category: "Usage" | "Purchase";
  readonly commitment: "Used" | "Unused" | null;
}

/** What the commercial form of an offer makes of a month. */
export interface OfferTerms {
  readonly committed: boolean;
  readonly charge: (month: OfferMonth) => {
    readonly charges: readonly OfferCharge[];
    /** Of what the tokens cost, the share that was not paid in advance. */
    readonly usageBilledFraction: number;
  };
}

interface Line {
  readonly month: string;
  readonly line: string;
  readonly target: string;
  readonly quantity: number;
  readonly unit: string;
  readonly usd: number;
  /** Left out: as `usd`. */
  readonly billedUsd?: number;
  readonly category?: "Usage" | "Purchase";
  readonly committed?: boolean;
  readonly commitment?: "Used" | "Unused" | null;
}

export class Ledger {
  private readonly months: string[] = [];
  private readonly hours: number[] = [];
  private readonly poolHours: PoolHours[][] = [];
  private readonly usage: OfferUsage[][][] = [];
  private readonly redactions: RedactionUse[][] = [];
  private readonly pools: readonly PoolPrice[];
  private readonly offers: readonly string[];
  private readonly classes: readonly string[];

  constructor(pools: readonly PoolPrice[], offers: readonly string[], classes: readonly string[]) {
    this.pools = pools;
    this.offers = offers;
    this.classes = classes;
  }

  /** Makes `month` ("2026-11") the one that is written to, and adds `hours` of simulated time to it. */
  addTime(month: string, hours: number): void {
    if (this.months[this.months.length - 1] !== month) {
      this.months.push(month);
      this.hours.push(0);
      this.poolHours.push(this.pools.map(() => ({ busy: 0, idle: 0, warm: 0, down: 0 })));
      this.usage.push(this.offers.map(() => this.classes.map(noUsage)));
      this.redactions.push(this.classes.map(() => ({ requests: 0, usd: 0 })));
    }
    this.hours[this.hours.length - 1] += hours;
  }

  pool(index: number): PoolHours {
    return this.poolHours[this.poolHours.length - 1][index];
  }

  offer(index: number, classIndex: number): OfferUsage {
    return this.usage[this.usage.length - 1][index][classIndex];
  }

  /** What all classes used of an offer so far. */
  usageOf(offer: number): OfferUsage {
    const all = noUsage();
    for (const month of this.usage) for (const ofClass of month[offer]) addUsage(all, ofClass);
    return all;
  }

  redaction(classIndex: number): RedactionUse {
    return this.redactions[this.redactions.length - 1][classIndex];
  }

  /**
   * The priced table. `poolTokens[pool][class]` = weighted tokens served, the key of allocation; `idleKeys` stand in for those of a
   * pool that served nobody, which costs no less; `peopleUsdPerMonth` is spread over time at 730 hours a month; `terms[offer]` = its
   * commercial form, null for pay-as-you-go.
   */
  price(
    poolTokens: readonly (readonly number[])[],
    idleKeys: readonly (readonly number[])[],
    peopleUsdPerMonth: number,
    terms: readonly (OfferTerms | null)[] = [],
  ): LedgerTable {
    const table = noLines();
    const { classes } = this;
    const served = poolTokens.map((keys, p) => (isNothing(keys) ? idleKeys[p] : keys));
    const allPools = (keys: readonly (readonly number[])[]) =>
      classes.map((_, c) => keys.reduce((sum, pool) => sum + pool[c], 0));
    const everyPool = isNothing(allPools(poolTokens)) ? allPools(idleKeys) : allPools(poolTokens);
    let fromS = 0;
    this.months.forEach((month, m) => {
      const toS = fromS + this.hours[m] * 3600;
      this.pools.forEach((pool, p) => this.pricePool(table, month, pool, this.poolHours[m][p], served[p]));
      this.offers.forEach((_, o) => this.priceOffer(table, m, o, terms[o] ?? null, fromS, toS));
      this.redactions[m].forEach(({ requests, usd }, c) => {
        add(table, { month, line: "api-redaction", target: "", quantity: requests, unit: "request", usd }, classes[c]);
      });
      if (peopleUsdPerMonth > 0) {
        const months = this.hours[m] / HOURS_PER_MONTH;
        const usd = peopleUsdPerMonth * months;
        share(table, { month, line: "people", target: "", quantity: months, unit: "month", usd }, classes, everyPool);
      }
      fromS = toS;
    });
    return table;
  }

  private pricePool(
    table: LedgerTable,
    month: string,
    { name, gpusPerReplica, usdPerGpuHour, markupUsdPerGpuHour }: PoolPrice,
    hours: PoolHours,
    keys: readonly number[],
  ): void {
    const add = (line: string, quantity: number, usdPerHour: number): void =>
      share(
        table,
        { month, line, target: name, quantity, unit: "GPU-hour", usd: quantity * usdPerHour },
        this.classes,
        keys,
      );
    let paid = 0;
    for (const state of ["busy", "idle", "warm", "down"] as const) {
      const gpuHours = hours[state] * gpusPerReplica;
      paid += gpuHours;
      add(`gpu-${state}`, gpuHours, usdPerGpuHour);
    }
    if (markupUsdPerGpuHour > 0) add("managed-markup", paid, markupUsdPerGpuHour);
  }

  private priceOffer(
    table: LedgerTable,
    m: number,
    o: number,
    terms: OfferTerms | null,
    fromS: number,
    toS: number,
  ): void {
    const { classes, months } = this;
    const month = months[m];
    const target = this.offers[o];
    const usage = this.usage[m][o];
    const all = noUsage();
    for (const ofClass of usage) addUsage(all, ofClass);
    const usageUsd = all.inputUsd + all.cachedUsd + all.writtenUsd + all.outputUsd + all.requestUsd;
    const { charges, usageBilledFraction } = terms?.charge({ ...all, fromS, toS, usageUsd }) ?? PAY_AS_YOU_GO;
    const committed = terms?.committed ?? false;
    const commitment = committed ? "Used" : null;
    classes.forEach((className, c) => {
      const of = usage[c];
      for (const [line, quantity, unit, usd] of [
        ["api-input", of.inputTokens, "token", of.inputUsd],
        ["api-cached-input", of.cachedTokens, "token", of.cachedUsd],
        ["api-cache-write", of.writtenTokens, "token", of.writtenUsd],
        ["api-output", of.outputTokens, "token", of.outputUsd],
        ["api-requests", of.requests, "request", of.requestUsd],
      ] as const) {
        const billedUsd = usd * usageBilledFraction;
        add(table, { month, line, target, quantity, unit, usd, billedUsd, committed, commitment }, className);
      }
    });
    const keys = usage.map((of) =>
      weightedTokens(of.inputTokens + of.cachedTokens + of.writtenTokens, of.outputTokens),
    );
    for (const charge of charges) share(table, { ...charge, month, target, committed }, classes, keys);
  }
}

const PAY_AS_YOU_GO = { charges: [], usageBilledFraction: 1 } as const;

/** The work that tokens make, in units of an input token. */
export function weightedTokens(inputTokens: number, outputTokens: number): number {
  return inputTokens + OUTPUT_TOKEN_WEIGHT * outputTokens;
}

function add(table: LedgerTable, line: Line, className: string): void {
  const { quantity, usd, billedUsd = usd, category = "Usage", committed = false, commitment = null } = line;
  if (quantity === 0 && usd === 0 && billedUsd === 0) return;
  table.month.push(line.month);
  table.line.push(line.line);
  table.target.push(line.target);
  table.className.push(className);
  table.quantity.push(quantity);
  table.unit.push(line.unit);
  table.usd.push(usd);
  table.billedUsd.push(billedUsd);
  table.chargeCategory.push(category);
  table.pricingCategory.push(committed ? "Committed" : "Standard");
  table.commitmentDiscountStatus.push(commitment ?? "");
}

function isNothing(keys: readonly number[]): boolean {
  return keys.every((key) => key === 0);
}

/** One line for each class by its key; without any key one for nobody. */
function share(table: LedgerTable, line: Line, classes: readonly string[], keys: readonly number[]): void {
  const all = keys.reduce((sum, key) => sum + key, 0);
  if (all === 0) {
    add(table, line, "");
    return;
  }
  const { quantity, usd, billedUsd = usd } = line;
  keys.forEach((key, c) =>
    add(
      table,
      { ...line, quantity: (quantity * key) / all, usd: (usd * key) / all, billedUsd: (billedUsd * key) / all },
      classes[c],
    ),
  );
}

/** A table without rows. */
export function noLines(): LedgerTable {
  return {
    month: [],
    line: [],
    target: [],
    className: [],
    quantity: [],
    unit: [],
    usd: [],
    billedUsd: [],
    chargeCategory: [],
    pricingCategory: [],
    commitmentDiscountStatus: [],
  };
}

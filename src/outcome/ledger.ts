/**
 * Money appears here first: quantities of one run by calendar month, priced once at the end.
 *   INV-14  the lines add up to the total, and each is quantity × price (API: the sum of what each request cost).
 * Shared lines (GPUs, people) are allocated to classes by weighted tokens served by the pool: an output token costs a
 * pool about four times the work of an input token (assumed).
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

export interface PoolPrice {
  readonly name: string;
  readonly gpusPerReplica: number;
  readonly usdPerGpuHour: number;
}

export class Ledger {
  private readonly months: string[] = [];
  private readonly hours: number[] = [];
  private readonly poolHours: PoolHours[][] = [];
  private readonly usage: OfferUsage[][][] = [];
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
    }
    this.hours[this.hours.length - 1] += hours;
  }

  pool(index: number): PoolHours {
    return this.poolHours[this.poolHours.length - 1][index];
  }

  offer(index: number, classIndex: number): OfferUsage {
    return this.usage[this.usage.length - 1][index][classIndex];
  }

  /**
   * The priced table. `poolTokens[pool][class]` = weighted tokens served, the key of allocation; `peopleUsdPerMonth` is
   * spread over time at 730 hours a month.
   */
  price(poolTokens: readonly (readonly number[])[], peopleUsdPerMonth: number): LedgerTable {
    const table: LedgerTable = { month: [], line: [], target: [], className: [], quantity: [], unit: [], usd: [] };
    const row = (
      month: string,
      line: string,
      target: string,
      className: string,
      quantity: number,
      unit: string,
      usd: number,
    ): void => {
      if (quantity === 0 && usd === 0) return;
      table.month.push(month);
      table.line.push(line);
      table.target.push(target);
      table.className.push(className);
      table.quantity.push(quantity);
      table.unit.push(unit);
      table.usd.push(usd);
    };
    const shared = (
      month: string,
      line: string,
      target: string,
      quantity: number,
      unit: string,
      usd: number,
      keys: readonly number[],
    ): void => {
      const all = keys.reduce((sum, key) => sum + key, 0);
      if (all === 0) row(month, line, target, "", quantity, unit, usd);
      else
        keys.forEach((key, c) =>
          row(month, line, target, this.classes[c], (quantity * key) / all, unit, (usd * key) / all),
        );
    };
    const everyPool = this.classes.map((_, c) => poolTokens.reduce((sum, pool) => sum + pool[c], 0));
    this.months.forEach((month, m) => {
      this.pools.forEach((pool, p) => {
        const hours = this.poolHours[m][p];
        for (const state of ["busy", "idle", "warm", "down"] as const) {
          const gpuHours = hours[state] * pool.gpusPerReplica;
          shared(month, `gpu-${state}`, pool.name, gpuHours, "GPU-hour", gpuHours * pool.usdPerGpuHour, poolTokens[p]);
        }
      });
      this.offers.forEach((offer, o) => {
        this.classes.forEach((className, c) => {
          const usage = this.usage[m][o][c];
          row(month, "api-input", offer, className, usage.inputTokens, "token", usage.inputUsd);
          row(month, "api-cached-input", offer, className, usage.cachedTokens, "token", usage.cachedUsd);
          row(month, "api-cache-write", offer, className, usage.writtenTokens, "token", usage.writtenUsd);
          row(month, "api-output", offer, className, usage.outputTokens, "token", usage.outputUsd);
          row(month, "api-requests", offer, className, usage.requests, "request", usage.requestUsd);
        });
      });
      if (peopleUsdPerMonth > 0) {
        const months = this.hours[m] / HOURS_PER_MONTH;
        shared(month, "people", "", months, "month", peopleUsdPerMonth * months, everyPool);
      }
    });
    return table;
  }
}

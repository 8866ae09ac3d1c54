/**
 * The books of one run: what each hour's end leaves of pools, requests and money, and the result that is made of it.
 * Everything is booked from t = 0 on; times in simulated seconds, hours counted from t = 0. An hour belongs to the month in which it
 * begins. An answer of an offer that ends after the horizon is booked in the last one.
 *   INV-8  paid hours ≥ busy hours, in every hour.
 */
import { gpusPerReplica } from "../engine/parallelism.ts";
import type { RequestClass, ResolvedExperiment, ResolvedStrategy } from "../scenario/resolved.ts";
import type { Pool } from "../fleet/pool.ts";
import { isoDate } from "../kernel/calendar-time.ts";
import { InvariantError } from "../kernel/errors.ts";
import { Sketch } from "../kernel/sketch.ts";
import { Ledger, type OfferTerms, type OfferUsage, type RedactionUse, weightedTokens } from "../outcome/ledger.ts";
import { Recorder, type RequestRows, type Targets } from "../outcome/recorder.ts";
import type { ClassResult, OfferResult, PoolResult, RunResult } from "../outcome/run-result.ts";
import type { IncidentTable, LedgerTable, PoolHourTable } from "../outcome/series.ts";
import { formCharges, reservedTerms, utilizationFraction } from "../provider/forms/charges.ts";
import type { Offer } from "../provider/offer.ts";
import type { RequestDesk } from "./request-desk.ts";

/** What a run needs of the experiment. */
export type RunSetting = Pick<
  ResolvedExperiment,
  "startEpochS" | "horizonS" | "warmupS" | "classes" | "client" | "people"
>;

export const HOUR_S = 3600;

/** Recorder routes: 0 for none, then the pools in order, then the offers as if they were further pools. */
export function routeOfPool(pool: number): number {
  return 1 + pool;
}

/** The target of a route other than none: pools in order, then offers. */
export function targetOfRoute(route: number): number {
  return route - 1;
}

/** Name of the route of requests that were answered without a target. */
const RESPONSE_CACHE = "response-cache";

/** Names of the routes of a strategy, from route 1 on. */
export function routeNames({ pools, offers, responseCache }: ResolvedStrategy): string[] {
  return [...[...pools, ...offers].map(({ name }) => name), ...(responseCache === undefined ? [] : [RESPONSE_CACHE])];
}

/** What a request of the class has to keep to. */
export function targetsOf({ slo }: Pick<RequestClass, "slo">): Targets {
  return { ttftS: slo.ttftS ?? Infinity, tpotS: slo.tpotS ?? Infinity, e2eS: slo.e2eS ?? Infinity };
}

/** Where the outcomes of a run's requests are recorded. */
export function recorderOf(
  { classes, horizonS }: RunSetting,
  strategy: ResolvedStrategy,
  rows: RequestRows | null,
): Recorder {
  return new Recorder(classes.map(targetsOf), routeNames(strategy), horizonS, rows);
}

export class RunBook {
  readonly recorder: Recorder;
  /** Gaps between tokens of answers from offers, by class. */
  readonly offerItlS: readonly Sketch[];
  /** Number of the hour that is open. */
  hour = 0;
  private readonly setting: RunSetting;
  private readonly strategy: ResolvedStrategy;
  private readonly pools: readonly Pool[];
  private readonly offers: readonly Offer[];
  private readonly ledger: Ledger;
  private readonly poolHours: PoolHourTable = {
    hour: [],
    pool: [],
    paidReplicaH: [],
    busyReplicaH: [],
    idleReplicaH: [],
    warmReplicaH: [],
    downReplicaH: [],
    occupancyFraction: [],
    kvFraction: [],
  };
  private readonly incidents: IncidentTable = {
    startS: [],
    endS: [],
    kind: [],
    target: [],
    replicasLost: [],
    requestsLost: [],
  };
  /** Whole-run sums by pool. */
  private readonly sums: readonly {
    busyS: number;
    servingS: number;
    warmS: number;
    downS: number;
    occupancySeqS: number;
    kvTokenS: number;
  }[];

  constructor(
    setting: RunSetting,
    strategy: ResolvedStrategy,
    pools: readonly Pool[],
    offers: readonly Offer[],
    recorder: Recorder,
  ) {
    this.setting = setting;
    this.strategy = strategy;
    this.pools = pools;
    this.offers = offers;
    this.recorder = recorder;
    const { classes } = setting;
    this.ledger = new Ledger(
      strategy.pools.map((pool) => ({
        name: pool.name,
        gpusPerReplica: gpusPerReplica(pool.engine),
        // Of a run that is not priced the hours alone are read.
        usdPerGpuHour: pool.usdPerGpuHour ?? 0,
        markupUsdPerGpuHour: pool.managed?.markupUsdPerGpuHour ?? 0,
      })),
      strategy.offers.map((offer) => offer.name),
      classes.map((requestClass) => requestClass.name),
    );
    this.offerItlS = classes.map(() => new Sketch());
    this.sums = pools.map(() => ({ busyS: 0, servingS: 0, warmS: 0, downS: 0, occupancySeqS: 0, kvTokenS: 0 }));
  }

  /** What a class has used of an offer in the month that is open. */
  usage(offer: number, classIndex: number): OfferUsage {
    return this.ledger.offer(offer, classIndex);
  }

  /** What the redaction step did for a class in the month that is open. */
  redaction(classIndex: number): RedactionUse {
    return this.ledger.redaction(classIndex);
  }

  /**
   * End of the warm-up: what was measured so far is dropped, what is under way goes on. Token gaps are booked where a
   * stretch ends, so those of a stretch that crosses t = 0 count whole.
   */
  start(): void {
    for (const pool of this.pools) {
      pool.bookUntil(0);
      pool.resetMeters();
      pool.meter.forgetCounts();
      for (const itlS of pool.meter.itlS) itlS.clear();
    }
    this.openHour();
  }

  incident(
    startS: number,
    endS: number,
    kind: string,
    target: string,
    replicasLost: number,
    requestsLost: number,
  ): void {
    const table = this.incidents;
    table.startS.push(startS);
    table.endS.push(endS);
    table.kind.push(kind);
    table.target.push(target);
    table.replicasLost.push(replicasLost);
    table.requestsLost.push(requestsLost);
  }

  /** Closes the hour that is open, which ends at `nowS`. */
  closeHour(nowS: number): void {
    this.pools.forEach((pool, p) => this.bookPool(pool, p, nowS));
    this.recorder.closeHour(this.hour);
    this.hour++;
  }

  openHour(): void {
    const startS = this.hour * HOUR_S;
    const lengthS = Math.min(HOUR_S, this.setting.horizonS - startS);
    this.ledger.addTime(isoDate(this.setting.startEpochS + startS).slice(0, 7), lengthS / HOUR_S);
  }

  private bookPool(pool: Pool, p: number, nowS: number): void {
    pool.bookUntil(nowS);
    const { meter, spec, servingS, warmS, downS } = pool;
    const { maxNumSeqs, kvBlocks, blockTokens } = spec.engine;
    const idleS = servingS - meter.busyS;
    if (idleS < -1e-6 * HOUR_S) throw new InvariantError("INV-8", { pool: spec.name, servingS, busyS: meter.busyS });
    const hours = this.ledger.pool(p);
    hours.busy += meter.busyS / HOUR_S;
    hours.idle += idleS / HOUR_S;
    hours.warm += warmS / HOUR_S;
    hours.down += downS / HOUR_S;
    const table = this.poolHours;
    table.hour.push(this.hour);
    table.pool.push(spec.name);
    table.paidReplicaH.push((servingS + warmS + downS) / HOUR_S);
    table.busyReplicaH.push(meter.busyS / HOUR_S);
    table.idleReplicaH.push(idleS / HOUR_S);
    table.warmReplicaH.push(warmS / HOUR_S);
    table.downReplicaH.push(downS / HOUR_S);
    table.occupancyFraction.push(servingS > 0 ? meter.occupancySeqS / (servingS * maxNumSeqs) : null);
    table.kvFraction.push(servingS > 0 ? meter.kvTokenS / (servingS * kvBlocks * blockTokens) : null);
    const sum = this.sums[p];
    sum.busyS += meter.busyS;
    sum.servingS += servingS;
    sum.warmS += warmS;
    sum.downS += downS;
    sum.occupancySeqS += meter.occupancySeqS;
    sum.kvTokenS += meter.kvTokenS;
    pool.resetMeters();
  }

  /** What has been booked so far costs, every line of it. Call after the last `closeHour`. */
  totalUsd(): number {
    return this.priced().usd.reduce((sum, usd) => sum + usd, 0);
  }

  private priced(): LedgerTable {
    const { setting, strategy, recorder } = this;
    const ownPools = this.pools.some(({ spec }) => spec.managed === undefined);
    const people = ownPools ? (setting.people.fte * setting.people.loadedUsdPerYear) / 12 : 0;
    const poolTokens = this.pools.map((_, p) =>
      setting.classes.map((_, c) => {
        const { inputTokens, outputTokens } = recorder.totals(c, routeOfPool(p));
        return weightedTokens(inputTokens, outputTokens);
      }),
    );
    // Who may go to a pool answers for one that nobody went to.
    const idleKeys = this.pools.map((_, p) => {
      const goes = strategy.routes.map((route) => route.some(({ kind, index }) => kind === "pool" && index === p));
      return setting.classes.map(({ shareFraction }, c) => (goes[c] || !goes.includes(true) ? shareFraction : 0));
    });
    return this.ledger.price(poolTokens, idleKeys, people, this.offers.map(termsOf));
  }

  /**
   * The result of the run; `inFlight` by class at the horizon, `endedUsd` its total before what was in flight was paid. Call after the
   * last `closeHour`.
   */
  result(
    replication: number,
    desk: RequestDesk,
    events: number,
    inFlight: readonly number[],
    endedUsd: number,
  ): RunResult {
    const { setting, strategy, recorder } = this;
    const { log, breakers, budget } = desk;
    this.bookOutages();
    return {
      strategy: strategy.name,
      replication,
      requestsSimulated: desk.sentAll,
      events,
      classes: setting.classes.map((_, c) => this.classResult(c, inFlight[c])),
      pools: this.pools.map((pool, p) => this.poolResult(pool, p)),
      offers: this.offers.map((offer, o) => this.offerResult(offer, o)),
      targets: [...this.pools, ...this.offers].map((_, target) =>
        log.result(target, breakers === null ? 0 : breakers.openSeconds(target, setting.horizonS)),
      ),
      retriesDenied: budget === null ? 0 : budget.denied,
      endedUsd,
      series: {
        strategy: strategy.name,
        replication,
        windows: recorder.windows,
        poolHours: this.poolHours,
        incidents: this.incidents,
        ledger: this.priced(),
      },
    };
  }

  private bookOutages(): void {
    for (const offer of this.offers) {
      for (const { startS, endS, severity } of this.outagesOf(offer)) {
        const kind = `outage-${offer.spec.outages!.severities[severity].name}`;
        this.incident(Math.max(0, startS), Math.min(this.setting.horizonS, endS), kind, offer.spec.name, 0, 0);
      }
    }
  }

  /** Those that lie at least in part within the horizon; one that began before t = 0 is among them. */
  private outagesOf({ outages }: Offer): Offer["outages"] {
    return outages.filter(({ startS, endS }) => endS > 0 && startS < this.setting.horizonS);
  }

  private classResult(c: number, inFlightAtHorizon: number): ClassResult {
    const { recorder } = this;
    const { ttftS, tpotS, e2eS } = recorder.latency(c);
    const itlS = new Sketch();
    itlS.merge(this.offerItlS[c]);
    for (const pool of this.pools) itlS.merge(pool.meter.itlS[c]);
    return {
      totals: recorder.totals(c, null),
      inFlightAtHorizon,
      controlledCompleted: this.pools.reduce((sum, _, p) => sum + recorder.totals(c, routeOfPool(p)).completed, 0),
      ttftS: ttftS.toPlain(),
      tpotS: tpotS.toPlain(),
      itlS: itlS.toPlain(),
      e2eS: e2eS.toPlain(),
      attainmentWindows: recorder.attainmentWindows(c, this.setting.classes[c].slo.targetFraction),
    };
  }

  private poolResult(pool: Pool, p: number): PoolResult {
    const { busyS, servingS, warmS, downS, occupancySeqS, kvTokenS } = this.sums[p];
    const { maxNumSeqs, kvBlocks, blockTokens } = pool.spec.engine;
    const over = (value: number, capacity: number): number => (servingS > 0 ? value / (servingS * capacity) : NaN);
    return {
      replicas: pool.target,
      busyH: busyS / HOUR_S,
      idleH: (servingS - busyS) / HOUR_S,
      warmH: warmS / HOUR_S,
      downH: downS / HOUR_S,
      busyFraction: over(busyS, 1),
      occupancyFraction: over(occupancySeqS, maxNumSeqs),
      kvFraction: over(kvTokenS, kvBlocks * blockTokens),
      preemptions: pool.meter.preemptions,
      prefixHitFraction: fraction(pool.meter.prefixTokensFound, pool.meter.prefixTokensAsked),
      draftAcceptedFraction: fraction(pool.meter.acceptedTokens, pool.meter.draftTokens),
      swappedOutTokens: pool.meter.swappedOutTokens,
      incidents: pool.incidents,
      coldStarts: pool.sleep?.starts ?? 0,
      coldStartRequests: pool.sleep?.waited ?? 0,
      completedByClass: this.setting.classes.map((_, c) => this.recorder.totals(c, routeOfPool(p)).completed),
    };
  }

  private offerResult(offer: Offer, o: number): OfferResult {
    const { attempts, rateLimited, overloaded, outageFailures, availabilityFraction, expiries, spec } = offer;
    const { horizonS } = this.setting;
    const usage = this.ledger.usageOf(o);
    return {
      attempts,
      rateLimited,
      refusedByLimit: [...offer.refusedBy],
      overloaded,
      outageFailures,
      outages: this.outagesOf(offer).length,
      availabilityFraction,
      expired: expiries,
      utilizationFraction:
        spec.form?.kind === "provisioned"
          ? utilizationFraction(spec.form.throughputs, { ...usage, fromS: 0, toS: horizonS })
          : 0,
    };
  }
}

/** What the ledger needs of a commercial form. */
function termsOf({ spec: { form }, deployedFromS, reservedSpend }: Offer): OfferTerms | null {
  if (form === undefined) return reservedSpend === null ? null : reservedTerms(reservedSpend);
  const committed = form.kind === "provisioned" || form.kind === "committed";
  return { committed, charge: (month) => formCharges(form, month, deployedFromS) };
}

/** Part of a whole; NaN of nothing. */
function fraction(part: number, whole: number): number {
  return whole > 0 ? part / whole : NaN;
}

/**
 * Outages of a provider: a Weibull renewal process (start to start, clustered for shapes below 1) that runs in a time
 * warped by the hour of the week, lognormal durations and a severity each, all laid out before the simulation from one
 * named stream, so that every strategy meets the same outages. Model and parameters: fitted on the status pages
 * collected by atlarge-research/llm-service-analysis (ICPE 2025). A share of them may have a cause in common with other
 * providers: it replaces own ones, so that how often a provider fails does not depend on it. Simulated seconds; the
 * parameters are in hours.
 */
import type { ResolvedOffer } from "../scenario/resolved.ts";
import { exp, log, normalQuantile, pow } from "../kernel/math.ts";
import type { Draw } from "../kernel/random.ts";
import { HOURS_PER_WEEK, hourOfWeek, hoursSinceMonday, isWeekday } from "./hour-of-week.ts";
import { meanGapH } from "./outage-law.ts";

type OutageSpec = NonNullable<ResolvedOffer["outages"]>;

export interface Outage {
  readonly startS: number;
  readonly endS: number;
  /** Index in the spec's `severities`. */
  readonly severity: number;
}

/**
 * The renewals begin this many gap scales before t = 0. Beginning with a renewal at t = 0 instead would put an
 * incident's aftermath there: half to one outage too many in whatever month is simulated.
 */
const LEAD_IN_SCALES = 100;

/** Streams of outages with a common cause: one that all providers read, and one of the provider's own. */
export interface CommonCauseDraws {
  readonly shared: Draw;
  readonly own: Draw;
}

/** What could strike several providers comes up this often (Poisson); each is struck by the part that its own rate allows. */
const CAUSES_PER_H = 1;
/** Causes are laid out from here on, the same for every provider. */
const CAUSES_FROM_S = -5000 * 3600;

/**
 * Outages that touch [fromS, toS), ordered by start. What lies between does not depend on either bound. `common` is read
 * only where the spec gives outages a common cause.
 */
export function drawOutages(
  spec: OutageSpec,
  draw: Draw,
  startEpochS: number,
  fromS: number,
  toS: number,
  common: CommonCauseDraws | null = null,
): Outage[] {
  const fraction = spec.commonCauseFraction ?? 0;
  const own = ownOutages(spec, draw, startEpochS, fromS, toS);
  if (fraction === 0 || common === null) return own.map(({ outage }) => outage);
  // By number since the lead-in, so that the bounds do not move the draws.
  let read = 0;
  const kept = own.filter(({ number }) => {
    let u = 1;
    for (; read <= number; read++) u = common.own();
    return u >= fraction;
  });
  const shared = sharedOutages(spec, fraction, common.shared, startEpochS, fromS, toS);
  return [...kept.map(({ outage }) => outage), ...shared].sort((a, b) => a.startS - b.startS);
}

function ownOutages(
  spec: OutageSpec,
  draw: Draw,
  startEpochS: number,
  fromS: number,
  toS: number,
): { readonly number: number; readonly outage: Outage }[] {
  const clock = new HazardClock(spec.hazard);
  const outages: { number: number; outage: Outage }[] = [];
  let warpedH = clock.warp(hoursSinceMonday(startEpochS)) - LEAD_IN_SCALES * spec.gapWeibullScaleH;
  for (let number = 0; ; number++) {
    warpedH += spec.gapWeibullScaleH * pow(-log(1 - draw()), 1 / spec.gapWeibullShape);
    const durationS = durationOf(spec, draw());
    const severity = pick(spec.severities, draw());
    const startS = (clock.unwarp(warpedH) - hoursSinceMonday(startEpochS)) * 3600;
    if (startS >= toS) return outages;
    const endS = startS + durationS;
    if (endS > fromS) outages.push({ number, outage: { startS, endS, severity } });
  }
}

/** The causes that strike this provider: those whose mark lies below the rate at which it is to be struck in that hour. */
function sharedOutages(
  spec: OutageSpec,
  fraction: number,
  draw: Draw,
  startEpochS: number,
  fromS: number,
  toS: number,
): Outage[] {
  const clock = new HazardClock(spec.hazard);
  const meanPerH = fraction / meanGapH(spec);
  const outages: Outage[] = [];
  let startS = CAUSES_FROM_S;
  for (;;) {
    startS += (-log(1 - draw()) * 3600) / CAUSES_PER_H;
    const mark = draw();
    const durationS = durationOf(spec, draw());
    const severity = pick(spec.severities, draw());
    if (startS >= toS) return outages;
    if (mark * CAUSES_PER_H >= meanPerH * clock.factor(hourOfWeek(startEpochS + startS))) continue;
    if (startS + durationS > fromS) outages.push({ startS, endS: startS + durationS, severity });
  }
}

function durationOf(spec: OutageSpec, u: number): number {
  return 3600 * Math.min(spec.durationMaxH, exp(spec.durationLnHMean + spec.durationLnHSigma * normalQuantile(u)));
}

function pick(severities: OutageSpec["severities"], u: number): number {
  let left = u * severities.reduce((sum, severity) => sum + severity.weight, 0);
  for (let i = 0; i < severities.length - 1; i++) {
    left -= severities[i]!.weight;
    if (left < 0) return i;
  }
  return severities.length - 1;
}

/** Time in which the hazard is even: the integral of its hour-of-week factors, rescaled to mean 1 over the week. */
class HazardClock {
  /** Warped hours from Monday 00:00 to the start of each hour; the last entry is the whole week, 168. */
  private readonly cumulative = new Float64Array(HOURS_PER_WEEK + 1);

  constructor(hazard: OutageSpec["hazard"]) {
    for (let hour = 0; hour < HOURS_PER_WEEK; hour++) {
      const business = hour % 24 >= 13 && hour % 24 < 23;
      const factor = !isWeekday(hour) ? hazard.weekend : business ? hazard.businessHours : hazard.otherWeekday;
      this.cumulative[hour + 1] = this.cumulative[hour]! + factor;
    }
    const scale = HOURS_PER_WEEK / this.cumulative[HOURS_PER_WEEK]!;
    for (let hour = 1; hour < HOURS_PER_WEEK; hour++) this.cumulative[hour]! *= scale;
    this.cumulative[HOURS_PER_WEEK] = HOURS_PER_WEEK; // exactly, so that rounding leaves no gap between weeks
  }

  /** Of the hour of the week: mean 1. */
  factor(hour: number): number {
    return this.cumulative[hour + 1]! - this.cumulative[hour]!;
  }

  warp(hours: number): number {
    const week = Math.floor(hours / HOURS_PER_WEEK);
    const inWeek = hours - week * HOURS_PER_WEEK;
    const hour = Math.floor(inWeek);
    const start = this.cumulative[hour]!;
    return week * HOURS_PER_WEEK + start + (this.cumulative[hour + 1]! - start) * (inWeek - hour);
  }

  unwarp(warped: number): number {
    const week = Math.floor(warped / HOURS_PER_WEEK);
    const inWeek = warped - week * HOURS_PER_WEEK;
    let hour = 0;
    while (hour < HOURS_PER_WEEK - 1 && this.cumulative[hour + 1]! <= inWeek) hour++;
    const start = this.cumulative[hour]!;
    return week * HOURS_PER_WEEK + hour + (inWeek - start) / (this.cumulative[hour + 1]! - start);
  }
}

/** What the outages do to a request at a time: a step function, read forward in time. Where outages overlap, the worst values hold. */
export class OutageTimeline {
  errorFraction = 0;
  latencyFactor = 1;
  /** When each step begins; it holds up to the next. */
  private readonly stepS: number[];
  private readonly errorByStep: number[];
  private readonly latencyByStep: number[];
  private next = 0;

  constructor(outages: readonly Outage[], severities: OutageSpec["severities"]) {
    const edges = new Set(outages.flatMap((outage) => [outage.startS, outage.endS]));
    this.stepS = [...edges].sort((a, b) => a - b);
    const active = this.stepS.map((stepS) =>
      outages
        .filter((outage) => outage.startS <= stepS && stepS < outage.endS)
        .map((outage) => severities[outage.severity]!),
    );
    this.errorByStep = active.map((list) => list.reduce((worst, it) => Math.max(worst, it.errorFraction), 0));
    this.latencyByStep = active.map((list) => list.reduce((worst, it) => Math.max(worst, it.latencyFactor), 1));
  }

  /** Brings the fields to `timeS`, which must not run backwards. */
  advance(timeS: number): void {
    while (this.next < this.stepS.length && timeS >= this.stepS[this.next]!) {
      this.errorFraction = this.errorByStep[this.next]!;
      this.latencyFactor = this.latencyByStep[this.next]!;
      this.next++;
    }
  }

  /** Mean share of requests that outages would let through, requests being spread evenly over [0, horizonS). */
  availabilityFraction(horizonS: number): number {
    let lostS = 0;
    for (let i = 0; i + 1 < this.stepS.length; i++) {
      const fromS = Math.max(0, this.stepS[i]!);
      const toS = Math.min(horizonS, this.stepS[i + 1]!);
      if (toS > fromS) lostS += this.errorByStep[i]! * (toS - fromS);
    }
    return 1 - lostS / horizonS;
  }
}

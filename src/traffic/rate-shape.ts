/**
 * What the calendar and chance do to a rate: the wall clock of the season, holidays, a level of each day, and pulses
 * (launches, viral spikes, experiments). Times in seconds from the experiment's start. A function of time alone, so that
 * many clients may ask it at different times.
 */
import type { Pulse, RateFactors } from "../scenario/resolved.ts";
import { DAY_S, MONTH_S } from "../kernel/calendar-time.ts";
import { InvariantError } from "../kernel/errors.ts";
import { exp } from "../kernel/math.ts";
import { exponential, normal } from "../kernel/samplers.ts";
import { trafficStream, type OpenTrafficOptions } from "./options.ts";

/** A pulse is over after this many decay times: e^−30 of its peak is left. */
const DECAYS = 30;

/** A pulse with an instant. */
interface Event {
  readonly atS: number;
  readonly endS: number;
  readonly pulse: Pulse;
}

export class RateShape {
  private readonly startEpochS: number;
  private readonly clock: RateFactors["clock"];
  private readonly holidays: ReadonlyMap<number, number>;
  /** By local day from `firstDay` on; empty = 1. */
  private readonly dayLevels: Float64Array;
  private readonly firstDay: number;
  /** By instant. */
  private readonly events: readonly Event[];
  private readonly longestS: number;
  /** Mean of the pulses that come at random and are not in `events`. */
  private readonly meanPulse: number;

  constructor(
    factors: RateFactors,
    startEpochS: number,
    dayLevels: Float64Array,
    firstDay: number,
    events: readonly Event[],
    meanPulse: number,
  ) {
    if (factors.clock.length === 0) throw new InvariantError("a clock has an offset", {});
    this.startEpochS = startEpochS;
    this.clock = factors.clock;
    this.holidays = new Map(factors.holidays.map(({ dayEpochS, factor }) => [dayEpochS / DAY_S, factor]));
    this.dayLevels = dayLevels;
    this.firstDay = firstDay;
    this.events = [...events].sort((a, b) => a.atS - b.atS);
    this.longestS = events.reduce((longest, { atS, endS }) => Math.max(longest, endS - atS), 0);
    this.meanPulse = meanPulse;
  }

  /** Local time minus UTC at `timeS`, seconds. */
  offsetAt(timeS: number): number {
    const clock = this.clock;
    let at = clock.length - 1;
    while (at > 0 && clock[at]!.fromEpochS > this.startEpochS + timeS) at--;
    return clock[at]!.offsetS;
  }

  /** Product of the factors at `timeS`, when the local clock shows `localS`. */
  factorAt(timeS: number, localS: number): number {
    const day = Math.floor(localS / DAY_S);
    const level = this.dayLevels.length === 0 ? 1 : this.dayLevels[day - this.firstDay]!;
    return level * (this.holidays.get(day) ?? 1) * (1 + this.meanPulse + this.pulsesAt(timeS));
  }

  private pulsesAt(timeS: number): number {
    const events = this.events;
    let low = 0;
    let high = events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (events[middle]!.atS <= timeS) low = middle + 1;
      else high = middle;
    }
    let sum = 0;
    for (let i = low - 1; i >= 0 && events[i]!.atS > timeS - this.longestS; i--) {
      const { atS, endS, pulse } = events[i]!;
      if (timeS < endS) sum += pulse.peak * pulseShape(pulse, timeS - atS);
    }
    return sum;
  }
}

/** The shape without chance: day levels at their mean, random pulses as their mean share. Null without factors. */
export function expectedShape(factors: RateFactors | undefined, startEpochS: number): RateShape | null {
  if (factors === undefined) return null;
  const mean = factors.pulses
    .filter(({ atS }) => atS === null)
    .reduce((sum, pulse) => sum + (pulse.perMonth / MONTH_S) * pulseArea(pulse), 0);
  return new RateShape(factors, startEpochS, new Float64Array(0), 0, declaredEvents(factors), mean);
}

/** The shape of one replication. A longer horizon only adds days and pulses. */
export function drawnShape(factors: RateFactors | undefined, options: OpenTrafficOptions): RateShape | null {
  if (factors === undefined) return null;
  const fromS = (options.offsetS ?? 0) - options.warmupS;
  const toS = (options.offsetS ?? 0) + options.horizonS;
  const events = declaredEvents(factors);
  factors.pulses.forEach((pulse, i) => {
    if (pulse.atS !== null) return;
    const draw = trafficStream(options, `pulses/${i}`);
    const gapS = MONTH_S / pulse.perMonth;
    // Pulses from before the window reach into it.
    for (let atS = fromS - lengthS(pulse) + gapS * exponential(draw); atS < toS; atS += gapS * exponential(draw))
      events.push(event(pulse, atS));
  });
  const offsetsS = factors.clock.map(({ offsetS }) => offsetS);
  const firstDay = Math.floor((options.startEpochS + fromS + Math.min(...offsetsS)) / DAY_S);
  const lastDay = Math.floor((options.startEpochS + toS + Math.max(...offsetsS)) / DAY_S) + 1;
  const levels = drawnLevels(factors.dayLevel, lastDay - firstDay + 1, options);
  return new RateShape(factors, options.startEpochS, levels, firstDay, events, 0);
}

/** exp(x − σ²/2), x a stationary AR(1). */
function drawnLevels(law: RateFactors["dayLevel"], days: number, options: OpenTrafficOptions): Float64Array {
  if (law === null) return new Float64Array(0);
  const { sigma, persistence } = law;
  const draw = trafficStream(options, "days");
  const levels = new Float64Array(days);
  const innovation = sigma * Math.sqrt(1 - persistence * persistence);
  for (let day = 0, x = sigma * normal(draw); day < days; day++) {
    levels[day] = exp(x - (sigma * sigma) / 2);
    x = persistence * x + innovation * normal(draw);
  }
  return levels;
}

function declaredEvents(factors: RateFactors): Event[] {
  return factors.pulses.flatMap((pulse) => (pulse.atS === null ? [] : [event(pulse, pulse.atS)]));
}

function event(pulse: Pulse, atS: number): Event {
  return { atS, endS: atS + lengthS(pulse), pulse };
}

function lengthS({ holdS, decayS }: Pulse): number {
  return holdS + DECAYS * decayS;
}

/** Height at an age of at least 0, at most 1. */
function pulseShape({ riseS, holdS, decayS }: Pulse, ageS: number): number {
  const rise = riseS === 0 ? 1 : 1 - exp(-ageS / riseS);
  return ageS <= holdS ? rise : rise * exp(-(ageS - holdS) / decayS);
}

/** Integral of peak × shape over all ages, seconds. */
function pulseArea({ peak, riseS, holdS, decayS }: Pulse): number {
  const risen = riseS === 0 ? 0 : exp(-holdS / riseS);
  const held = holdS - riseS * (1 - risen);
  const decayed = decayS === 0 ? 0 : decayS - (risen * riseS * decayS) / (riseS + decayS);
  return peak * (held + decayed);
}

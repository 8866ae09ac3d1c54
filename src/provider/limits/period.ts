/**
 * Spans of the calendar over which limits count, as the half-open interval around an instant. Milliseconds of simulated
 * time; the calendar is reached by `startEpochS`, the UTC seconds since 1970 at t = 0.
 */
import { DAY_S, dateOf, epochSOfDate } from "../../kernel/calendar-time.ts";
import { InvariantError } from "../../kernel/errors.ts";
import { clockOf, type ClockChange } from "../../kernel/time-zone.ts";
import type { LimitPeriod } from "../../scenario/limits.ts";

/** An instant this little before the end of a span is its end: whoever waited as told has waited long enough. */
const ROUNDING_MS = 1e-6;

export abstract class Spans {
  fromMs = -Infinity;
  toMs = -Infinity;

  /** Moves on to the span that holds `timeMs`; true when it is another one than before. */
  moveTo(timeMs: number): boolean {
    if (timeMs < this.toMs - ROUNDING_MS) return false;
    this.locate(timeMs + ROUNDING_MS);
    return true;
  }

  protected abstract locate(timeMs: number): void;
}

/** Equal windows, one of which begins `offsetMs` after the epoch. */
class EqualSpans extends Spans {
  private readonly windowMs: number;
  /** Of the start of a window, in [0, windowMs). */
  private readonly phaseMs: number;

  constructor(windowMs: number, offsetMs: number, startEpochS: number) {
    super();
    this.windowMs = windowMs;
    const beforeMs = offsetMs - startEpochS * 1000;
    this.phaseMs = beforeMs - Math.floor(beforeMs / windowMs) * windowMs;
  }

  protected override locate(timeMs: number): void {
    const index = Math.floor((timeMs - this.phaseMs) / this.windowMs);
    this.fromMs = index * this.windowMs + this.phaseMs;
    this.toMs = (index + 1) * this.windowMs + this.phaseMs;
  }
}

/** Windows of a wall clock: those in which it is put forward or back are shorter or longer. */
class ClockSpans extends Spans {
  private readonly windowS: number;
  private readonly zone: string;
  private readonly startEpochS: number;

  constructor(windowS: number, zone: string, startEpochS: number) {
    super();
    this.windowS = windowS;
    this.zone = zone;
    this.startEpochS = startEpochS;
  }

  protected override locate(timeMs: number): void {
    const { windowS, zone, startEpochS } = this;
    const epochS = startEpochS + timeMs / 1000;
    const clock = clockOf(zone, epochS - windowS - DAY_S, epochS + windowS + DAY_S);
    if (clock === null) throw new InvariantError("limit", { zone, known: false }); // checked when it was read
    const localS = Math.floor((epochS + offsetS(clock, epochS)) / windowS) * windowS;
    this.fromMs = (instantOf(clock, localS) - startEpochS) * 1000;
    this.toMs = (instantOf(clock, localS + windowS) - startEpochS) * 1000;
  }
}

/** The instant at which the clock shows `localS`, of two the later. */
function instantOf(clock: readonly ClockChange[], localS: number): number {
  return localS - offsetS(clock, localS - offsetS(clock, localS));
}

function offsetS(clock: readonly ClockChange[], epochS: number): number {
  let c = clock.length - 1;
  while (c > 0 && clock[c]!.fromEpochS > epochS) c--;
  return clock[c]!.offsetS;
}

/** Months of the UTC calendar. */
class MonthSpans extends Spans {
  private readonly startEpochS: number;

  constructor(startEpochS: number) {
    super();
    this.startEpochS = startEpochS;
  }

  protected override locate(timeMs: number): void {
    const { year, month } = dateOf(this.startEpochS + timeMs / 1000);
    const next = month === 12 ? { year: year + 1, month: 1, day: 1 } : { year, month: month + 1, day: 1 };
    this.fromMs = (epochSOfDate({ year, month, day: 1 }) - this.startEpochS) * 1000;
    this.toMs = (epochSOfDate(next) - this.startEpochS) * 1000;
  }
}

/** Windows of `windowS` of which one begins `offsetS` after midnight UTC, or those of a zone's wall clock. */
export function windowsOf(windowS: number, offsetS: number, zone: string | null, startEpochS: number): Spans {
  return zone === null
    ? new EqualSpans(windowS * 1000, offsetS * 1000, startEpochS)
    : new ClockSpans(windowS, zone, startEpochS);
}

/** The spans of a period. */
export function spansOf(period: LimitPeriod, startEpochS: number): Spans {
  return period === "month" ? new MonthSpans(startEpochS) : windowsOf(period.windowS, 0, null, startEpochS);
}

/**
 * Civil time from UTC seconds since 1970 by integer arithmetic alone: no host clock, no time zone, no leap seconds.
 * Weeks run from Monday 00:00 UTC, the origin of every hour-of-week table.
 */

export const HOUR_S = 3600;
export const DAY_S = 86_400;
export const WEEK_S = 604_800;
/** The month of growth rates and monthly bills: 30.4 days. */
export const MONTH_S = 30.4 * DAY_S;

/** 1970-01-01 was a Thursday, three days after a Monday. */
const EPOCH_AFTER_MONDAY_S = 3 * DAY_S;

export interface CivilDate {
  readonly year: number;
  /** 1–12. */
  readonly month: number;
  /** 1–31. */
  readonly day: number;
}

/** Seconds since the last Monday 00:00 UTC, in [0, 604800). */
export function secondOfWeek(epochS: number): number {
  const shifted = epochS + EPOCH_AFTER_MONDAY_S;
  return shifted - Math.floor(shifted / WEEK_S) * WEEK_S;
}

/** Hour of the week from Monday 00:00 UTC, 0–167. */
export function hourOfWeek(epochS: number): number {
  return Math.floor(secondOfWeek(epochS) / HOUR_S);
}

/** UTC seconds since 1970 of midnight on a date of the proleptic Gregorian calendar. */
export function epochSOfDate(date: CivilDate): number {
  // Years that start in March put the leap day last, so that the months before it have fixed lengths.
  const marchYear = date.month > 2 ? date.year : date.year - 1;
  const marchMonth = (date.month + 9) % 12;
  const days =
    365 * marchYear +
    Math.floor(marchYear / 4) -
    Math.floor(marchYear / 100) +
    Math.floor(marchYear / 400) +
    Math.floor((153 * marchMonth + 2) / 5) +
    date.day -
    1;
  // 719,468 days lie between 1 March of year 0 and 1 January 1970.
  return (days - 719_468) * DAY_S;
}

/** The UTC date of an instant. */
export function dateOf(epochS: number): CivilDate {
  const days = Math.floor(epochS / DAY_S) + 719_468;
  const cycle = Math.floor(days / 146_097);
  const dayOfCycle = days - cycle * 146_097;
  const yearOfCycle = Math.floor(
    (dayOfCycle - Math.floor(dayOfCycle / 1460) + Math.floor(dayOfCycle / 36_524) - Math.floor(dayOfCycle / 146_096)) /
      365,
  );
  const dayOfYear = dayOfCycle - (365 * yearOfCycle + Math.floor(yearOfCycle / 4) - Math.floor(yearOfCycle / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return {
    year: 400 * cycle + yearOfCycle + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
  };
}

/** `2026-11-02`, for years 0–9999. */
export function isoDate(epochS: number): string {
  const { year, month, day } = dateOf(epochS);
  return `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}`;
}

/** `2026-11-02T13:45:00Z`; fractions of a second are cut off. */
export function isoDateTime(epochS: number): string {
  const secondOfDay = Math.floor(epochS) - Math.floor(epochS / DAY_S) * DAY_S;
  const hour = Math.floor(secondOfDay / HOUR_S);
  const minute = Math.floor(secondOfDay / 60) % 60;
  return `${isoDate(epochS)}T${digits(hour, 2)}:${digits(minute, 2)}:${digits(secondOfDay % 60, 2)}Z`;
}

const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.0+)?)?Z)?$/;

/** UTC seconds since 1970 of `2026-11-02`, `2026-11-02T13:45Z` or `2026-11-02T13:45:00Z`; null for anything else, such as 30 February. */
export function epochSOfIso(text: string): number | null {
  const match = ISO.exec(text);
  if (match === null) return null;
  const part = (index: number): number => Number(match[index] ?? 0);
  const midnightS = epochSOfDate({ year: part(1), month: part(2), day: part(3) });
  if (isoDate(midnightS) !== text.slice(0, 10) || part(4) > 23 || part(5) > 59 || part(6) > 59) return null;
  return midnightS + part(4) * HOUR_S + part(5) * 60 + part(6);
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, "0");
}

/** Hours of the UTC week, 0 = Monday 00:00–01:00 … 167 = Sunday 23:00–24:00. Epoch times are UTC seconds since 1970. */

export const HOURS_PER_WEEK = 168;
/** 1970-01-01 was a Thursday. */
const EPOCH_HOUR_OF_WEEK = 72;

/** Hours since a Monday 00:00 UTC, with fraction: whole weeks are multiples of 168. */
export function hoursSinceMonday(epochS: number): number {
  return epochS / 3600 + EPOCH_HOUR_OF_WEEK;
}

/** Hour of the week of an instant since 1970, a whole number from 0 to 167. */
export function hourOfWeek(epochS: number): number {
  return Math.floor(hoursSinceMonday(epochS)) % HOURS_PER_WEEK;
}

/** Monday to Friday. */
export function isWeekday(hour: number): boolean {
  return hour < 120;
}

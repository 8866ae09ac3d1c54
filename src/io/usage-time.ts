/** Times of usage exports: Unix seconds, UTC dates, and dates with a time and its zone. Any other time could be one of several. */
import { epochSOfIso } from "../kernel/calendar-time.ts";
import { DateReader } from "./traces/dates.ts";

const UNIX_S = /^\d{9,11}(\.0+)?$/;
const UNIX_MS = /^\d{12,14}(\.\d+)?$/;
/** Day, hours and minutes, seconds, zone. */
const DATE_TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|[+-]\d\d:?(?:\d\d)?)?$/;

/** UTC seconds since 1970, or what is wrong with the time. */
export function readUsageTime(text: string): number | string {
  if (UNIX_S.test(text)) return Number(text);
  if (UNIX_MS.test(text)) return "this looks like milliseconds since 1970, seconds are needed";
  const match = DATE_TIME.exec(text);
  if (match === null) return epochSOfIso(text) ?? NEEDED;
  const [, day, minutes, seconds = ":00", zone] = match;
  if (zone === undefined) return "its zone is not told: add Z or an offset such as +02:00";
  const dates = new DateReader();
  const whole = `${day}T${minutes}${seconds}${zone}`;
  return Number.isNaN(dates.nanos(whole, 0, whole.length)) ? NEEDED : dates.epochS!;
}

const NEEDED = "a date such as 2026-11-02, a time such as 2026-11-02T13:00:00Z or seconds since 1970 is needed";

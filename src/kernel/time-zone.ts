/**
 * Wall clocks of places: UTC offset with daylight saving time, from a table of today's rules instead of the host's time
 * zone data, which differs between versions. Facts: IANA time zone database 2025b (public domain). Zones whose rules
 * change by decree (Cairo, Casablanca, Jerusalem …) are left out; a fixed offset such as `UTC+3` says the same.
 */
import { DAY_S, HOUR_S, dateOf, epochSOfDate, secondOfWeek } from "./calendar-time.ts";

/** From an instant on, local time is UTC plus the offset. */
export interface ClockChange {
  /** UTC seconds since 1970. */
  readonly fromEpochS: number;
  readonly offsetS: number;
}

/** One hour forward at `start` and back at `end`: a Sunday of a month, and the hour of standard time or of UTC. */
interface DaylightRule {
  readonly start: SundayHour;
  readonly end: SundayHour;
}

interface SundayHour {
  readonly month: number;
  /** 1 = first, 2 = second, -1 = last Sunday of the month. */
  readonly nth: number;
  /** In standard time of the zone, or in UTC. */
  readonly hour: number;
  readonly utc: boolean;
}

const sunday = (month: number, nth: number, hour: number, utc = false): SundayHour => ({ month, nth, hour, utc });
const EU: DaylightRule = { start: sunday(3, -1, 1, true), end: sunday(10, -1, 1, true) };
const US: DaylightRule = { start: sunday(3, 2, 2), end: sunday(11, 1, 1) };
const AUSTRALIA: DaylightRule = { start: sunday(10, 1, 2), end: sunday(4, 1, 2) };
const NEW_ZEALAND: DaylightRule = { start: sunday(9, -1, 2), end: sunday(4, 1, 2) };

/** Minutes of standard time before UTC or after it, and the names that share them. */
const GROUPS: readonly (readonly [number, DaylightRule | null, string])[] = [
  [0, null, "UTC Etc/UTC Africa/Abidjan Africa/Accra Atlantic/Reykjavik"],
  [0, EU, "Europe/London Europe/Dublin Europe/Lisbon"],
  [
    60,
    EU,
    "Europe/Amsterdam Europe/Belgrade Europe/Berlin Europe/Brussels Europe/Budapest Europe/Copenhagen Europe/Madrid " +
      "Europe/Oslo Europe/Paris Europe/Prague Europe/Rome Europe/Stockholm Europe/Vienna Europe/Warsaw Europe/Zurich",
  ],
  [60, null, "Africa/Lagos Africa/Algiers Africa/Tunis"],
  [120, EU, "Europe/Athens Europe/Bucharest Europe/Helsinki Europe/Kyiv Europe/Sofia Europe/Vilnius"],
  [120, null, "Africa/Johannesburg"],
  [180, null, "Europe/Istanbul Europe/Moscow Africa/Nairobi Asia/Riyadh Asia/Baghdad"],
  [240, null, "Asia/Dubai"],
  [300, null, "Asia/Karachi Asia/Tashkent"],
  [330, null, "Asia/Kolkata Asia/Colombo"],
  [345, null, "Asia/Kathmandu"],
  [360, null, "Asia/Dhaka"],
  [420, null, "Asia/Bangkok Asia/Jakarta Asia/Ho_Chi_Minh"],
  [480, null, "Asia/Shanghai Asia/Hong_Kong Asia/Singapore Asia/Taipei Asia/Manila Asia/Kuala_Lumpur Australia/Perth"],
  [540, null, "Asia/Tokyo Asia/Seoul"],
  [570, AUSTRALIA, "Australia/Adelaide"],
  [600, AUSTRALIA, "Australia/Sydney Australia/Melbourne Australia/Hobart"],
  [600, null, "Australia/Brisbane"],
  [720, NEW_ZEALAND, "Pacific/Auckland"],
  [-180, null, "America/Sao_Paulo America/Argentina/Buenos_Aires America/Montevideo"],
  [-240, US, "America/Halifax"],
  [-240, null, "America/Caracas America/La_Paz America/Puerto_Rico"],
  [-300, US, "America/New_York America/Toronto America/Detroit"],
  [-300, null, "America/Bogota America/Lima America/Panama"],
  [-360, US, "America/Chicago America/Winnipeg"],
  [-360, null, "America/Mexico_City America/Costa_Rica America/Guatemala"],
  [-420, US, "America/Denver America/Boise"],
  [-420, null, "America/Phoenix"],
  [-480, US, "America/Los_Angeles"],
  [-540, US, "America/Anchorage"],
  [-600, null, "Pacific/Honolulu"],
];

const FIXED = /^UTC([+-])(\d{1,2})(?::?([0-5]\d))?$/;

/** Every name of the table. */
export function zoneNames(): string[] {
  return GROUPS.flatMap(([, , names]) => names.split(" "));
}

/**
 * The clock of `zone` over [fromEpochS, toEpochS): the offset that holds at first, then every change. A zone is a name of
 * the table (`Europe/Berlin`) or a fixed offset (`UTC+8`, `UTC-03:30`); null for anything else.
 */
export function clockOf(zone: string, fromEpochS: number, toEpochS: number): ClockChange[] | null {
  const fixed = FIXED.exec(zone);
  if (fixed !== null) {
    const minutes = Number(fixed[2]) * 60 + Number(fixed[3] ?? 0);
    if (minutes > 14 * 60) return null;
    return [{ fromEpochS, offsetS: (fixed[1] === "-" ? -1 : 1) * minutes * 60 }];
  }
  const group = GROUPS.find(([, , names]) => names.split(" ").includes(zone));
  if (group === undefined) return null;
  const [minutes, rule] = group;
  const standardS = minutes * 60;
  if (rule === null) return [{ fromEpochS, offsetS: standardS }];
  const changes: ClockChange[] = [];
  for (let year = dateOf(fromEpochS).year - 1; year <= dateOf(toEpochS).year; year++) {
    changes.push({ fromEpochS: instantOf(rule.start, year, standardS), offsetS: standardS + HOUR_S });
    changes.push({ fromEpochS: instantOf(rule.end, year, standardS), offsetS: standardS });
  }
  changes.sort((a, b) => a.fromEpochS - b.fromEpochS);
  const first = changes.filter((change) => change.fromEpochS <= fromEpochS).at(-1);
  const later = changes.filter((change) => change.fromEpochS > fromEpochS && change.fromEpochS < toEpochS);
  return [{ fromEpochS, offsetS: first?.offsetS ?? standardS }, ...later];
}

function instantOf({ month, nth, hour, utc }: SundayHour, year: number, standardS: number): number {
  const firstS = epochSOfDate({ year, month, day: 1 });
  const untilSunday = (13 - Math.floor(secondOfWeek(firstS) / DAY_S)) % 7;
  let dayS = firstS + untilSunday * DAY_S + (nth - 1) * 7 * DAY_S;
  if (nth === -1) {
    dayS = firstS + untilSunday * DAY_S + 28 * DAY_S;
    if (dateOf(dayS).month !== month) dayS -= 7 * DAY_S;
  }
  return dayS + hour * HOUR_S - (utc ? 0 : standardS);
}

/**
 * Dates as traces write them: 2023-11-16 18:15:46.6805900, with an optional fraction of up to nine digits, "T" or a
 * space, and an optional zone (Z, +00:00); without a zone they are UTC.
 */

/** Reads dates as nanoseconds since the first one, so that a double holds them exactly for 104 days. */
export class DateReader {
  /** Whole Unix seconds and nanoseconds of the first date. */
  private originS = Number.NaN;
  private originNanos = 0;
  private dayKey = -1;
  private dayS = 0;

  /** Unix time of the first date, seconds; null before it. */
  get epochS(): number | null {
    return Number.isNaN(this.originS) ? null : this.originS + this.originNanos / 1e9;
  }

  /** Nanoseconds between the date at [from, to) of `text` and the first one; NaN if it is no date. */
  nanos(text: string, from: number, to: number): number {
    const year = digits(text, from, from + 4);
    const month = digits(text, from + 5, from + 7);
    const day = digits(text, from + 8, from + 10);
    const hour = digits(text, from + 11, from + 13);
    const minute = digits(text, from + 14, from + 16);
    const second = digits(text, from + 17, from + 19);
    const fine =
      to - from >= 19 &&
      text.charCodeAt(from + 4) === DASH &&
      text.charCodeAt(from + 7) === DASH &&
      (text.charCodeAt(from + 10) === SPACE || text.charCodeAt(from + 10) === LETTER_T) &&
      text.charCodeAt(from + 13) === COLON &&
      text.charCodeAt(from + 16) === COLON &&
      Math.min(year, month, day, hour, minute, second) >= 0 &&
      hour < 24 &&
      minute < 60 &&
      second < 60;
    if (!fine) return Number.NaN;

    let at = from + 19;
    let nanos = 0;
    if (at < to && text.charCodeAt(at) === POINT) {
      const fraction = at + 1;
      for (at = fraction; at < to && digits(text, at, at + 1) >= 0; at++);
      if (at === fraction || at - fraction > 9) return Number.NaN;
      nanos = digits(text, fraction, at) * (POWERS_OF_TEN[9 - (at - fraction)] as number);
    }
    const zoneS = at === to ? 0 : zoneSeconds(text.slice(at, to));
    const wholeS = this.daySeconds(year, month, day) + hour * 3600 + minute * 60 + second - zoneS;
    if (Number.isNaN(wholeS)) return Number.NaN;
    if (Number.isNaN(this.originS)) {
      this.originS = wholeS;
      this.originNanos = nanos;
    }
    return (wholeS - this.originS) * 1e9 + (nanos - this.originNanos);
  }

  /** Unix time of midnight UTC, remembered from row to row; NaN for a day that no month has. */
  private daySeconds(year: number, month: number, day: number): number {
    const key = (year * 100 + month) * 100 + day;
    if (key !== this.dayKey) {
      const ms = Date.UTC(year, month - 1, day);
      const iso = Number.isNaN(ms) ? "" : new Date(ms).toISOString().slice(0, 10).replaceAll("-", "");
      if (Number(iso) !== key) return Number.NaN;
      this.dayKey = key;
      this.dayS = ms / 1000;
    }
    return this.dayS;
  }
}

const SPACE = 32;
const DASH = 45;
const POINT = 46;
const COLON = 58;
const LETTER_T = 84;
const POWERS_OF_TEN = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/** The digits from `from` to `to` as a number, -1 if there is none or anything else. */
export function digits(text: string, from: number, to: number): number {
  let value = to > from ? 0 : -1;
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Seconds that the clock of a zone is ahead of UTC, NaN if it is none. */
function zoneSeconds(zone: string): number {
  if (zone === "Z") return 0;
  const match = /^([+-])([01]\d|2[0-3]):?([0-5]\d)?$/.exec(zone);
  if (match === null) return Number.NaN;
  return (match[1] === "-" ? -1 : 1) * (Number(match[2]) * 3600 + Number(match[3] ?? 0) * 60);
}

/** Unix nanoseconds of a number of them (as a text, or they would be rounded) or of a date; null if it is neither. */
export function unixNanos(value: unknown): bigint | null {
  const text = typeof value === "number" ? String(value) : typeof value === "string" ? value : "";
  if (/^\d+$/.test(text)) return BigInt(text);
  const reader = new DateReader();
  if (Number.isNaN(reader.nanos(text, 0, text.length))) return null;
  const fraction = /\.(\d{1,9})/.exec(text)?.[1] ?? "";
  return BigInt(Math.floor(reader.epochS!)) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** Writes dates in the form of a first one: separator, zone, and digits of the fraction. */
export function dateWriter(firstTime: string): (nanosLater: number) => string {
  const [, separator, fraction = "", zone = ""] = /^\d{4}-\d\d-\d\d(.)\d\d:\d\d:\d\d(?:\.(\d+))?(.*)$/.exec(firstTime)!;
  // pandas leaves out a fraction of zero, and has six digits else.
  const pandas = /^[+-]/.test(zone);
  const digits = pandas ? 6 : fraction.length;
  const stepNanos = 10n ** BigInt(9 - digits);
  const originNanos = unixNanos(firstTime)! + BigInt(zone === "" ? 0 : zoneSeconds(zone)) * 1_000_000_000n;
  return (nanosLater) => {
    const nanos = originNanos + BigInt(Math.round(nanosLater));
    const steps = (nanos + stepNanos / 2n) / stepNanos;
    const perS = 10n ** BigInt(digits);
    const seconds = new Date(Number(steps / perS) * 1000).toISOString().slice(0, 19).replace("T", separator!);
    const part = steps % perS;
    const shown = digits === 0 || (pandas && part === 0n) ? "" : `.${String(part).padStart(digits, "0")}`;
    return seconds + shown + zone;
  };
}

/** Ticks of a UTC time axis whose unit is hours since the start; no host clock or time zone takes part. */
import { dateOf, DAY_S, epochSOfDate, HOUR_S, secondOfWeek } from "../../kernel/calendar-time.ts";
import { MONTHS, WEEKDAYS } from "../format.ts";

export interface Tick {
  readonly hour: number;
  readonly label: string;
}

const STEPS_H = [1 / 60, 1 / 12, 1 / 6, 1 / 4, 1 / 2, 1, 2, 3, 6, 12, 24, 48, 72, 168, 336] as const;

/**
 * At most about `maxTicks` ticks: minutes, hours, days (`Mon 2 Nov`), weeks from Monday, or first days of months. None so close to
 * the end that half its label would stand outside the picture.
 */
export function timeTicks(startEpochS: number, horizonH: number, maxTicks: number): Tick[] {
  const endH = horizonH * (1 - 0.3 / maxTicks);
  return allTicks(startEpochS, horizonH, maxTicks).filter((tick) => tick.hour <= endH);
}

function allTicks(startEpochS: number, horizonH: number, maxTicks: number): Tick[] {
  const stepH = STEPS_H.find((step) => horizonH / step <= maxTicks);
  if (stepH === undefined) return monthTicks(startEpochS, horizonH, maxTicks);
  const ticks: Tick[] = [];
  // Weeks begin on Monday, so whole weeks are aligned to it and everything shorter to midnight.
  const alignS = stepH >= 168 ? secondOfWeek(startEpochS) : startEpochS - Math.floor(startEpochS / DAY_S) * DAY_S;
  const stepS = Math.round(stepH * HOUR_S);
  const firstS = Math.ceil(alignS / stepS) * stepS - alignS;
  for (let atS = firstS; atS <= horizonH * HOUR_S; atS += stepS) {
    ticks.push({ hour: atS / HOUR_S, label: label(startEpochS + atS, stepH) });
  }
  return ticks;
}

function label(epochS: number, stepH: number): string {
  const { month, day } = dateOf(epochS);
  const date = `${day} ${MONTHS[month - 1] ?? ""}`;
  if (stepH >= 24) return stepH > 72 ? date : `${WEEKDAYS[Math.floor(secondOfWeek(epochS) / DAY_S)] ?? ""} ${date}`;
  const minute = Math.floor((epochS - Math.floor(epochS / DAY_S) * DAY_S) / 60);
  const two = (value: number): string => String(value).padStart(2, "0");
  return minute === 0 ? date : `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

/** First days of months, counted from January so that the same months recur every year. */
function monthTicks(startEpochS: number, horizonH: number, maxTicks: number): Tick[] {
  const ticks: Tick[] = [];
  const every = [1, 2, 3, 6].find((months) => horizonH / 730 / months <= maxTicks) ?? 12;
  const start = dateOf(startEpochS);
  for (let index = start.year * 12 + start.month - 1; ; index++) {
    const year = Math.floor(index / 12);
    const month = index - year * 12 + 1;
    const hour = (epochSOfDate({ year, month, day: 1 }) - startEpochS) / HOUR_S;
    if (hour > horizonH) return ticks;
    if (hour >= 0 && (month - 1) % every === 0) ticks.push({ hour, label: `${MONTHS[month - 1] ?? ""} ${year}` });
  }
}

/** How long a simulated period is, in the unit in which it is a number to read: 30 days, 7.2 minutes. */
import { plainNumber } from "./text-table.ts";

const UNITS = [
  { name: "day", perDay: 1 },
  { name: "hour", perDay: 24 },
  { name: "minute", perDay: 24 * 60 },
  { name: "second", perDay: 24 * 60 * 60 },
] as const;

/** With at most two decimals, in the largest unit of which the period has one. */
export function lengthText(days: number): string {
  // A whole minute may come out of a division just below one.
  const unit = UNITS.find(({ perDay }) => days * perDay >= 1 - 1e-9) ?? UNITS[3];
  const figure = plainNumber(days * unit.perDay, 2);
  return `${figure} ${unit.name}${figure === "1" ? "" : "s"}`;
}

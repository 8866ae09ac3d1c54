import fc from "fast-check";
import { expect, test } from "vitest";
import {
  dateOf,
  epochSOfDate,
  epochSOfIso,
  hourOfWeek,
  isoDate,
  isoDateTime,
  secondOfWeek,
} from "../../src/kernel/calendar-time.ts";

/** Years 0 to 9999, the range of four-digit dates. */
const instants = fc.integer({ min: -62_167_219_200, max: 253_402_300_799 });

test("dates agree with the host's calendar at any instant", () => {
  fc.assert(
    fc.property(instants, (epochS) => {
      const host = new Date(epochS * 1000);
      expect(isoDateTime(epochS)).toBe(host.toISOString().replace(".000Z", "Z"));
      expect(hourOfWeek(epochS)).toBe(((host.getUTCDay() + 6) % 7) * 24 + host.getUTCHours());
      expect(dateOf(epochS)).toEqual({
        year: host.getUTCFullYear(),
        month: host.getUTCMonth() + 1,
        day: host.getUTCDate(),
      });
    }),
  );
});

test("a date and its text lead back to the same midnight", () => {
  fc.assert(
    fc.property(instants, (epochS) => {
      const midnightS = epochSOfDate(dateOf(epochS));
      expect(midnightS).toBe(Math.floor(epochS / 86_400) * 86_400);
      expect(epochSOfIso(isoDate(epochS))).toBe(midnightS);
      expect(epochSOfIso(isoDateTime(epochS))).toBe(epochS);
    }),
  );
});

test("every day from 1999 to 2032 follows the one before", () => {
  const end = epochSOfIso("2032-01-01")!;
  for (let epochS = epochSOfIso("1999-01-01")!; epochS < end; epochS += 86_400) {
    expect(isoDate(epochS)).toBe(new Date(epochS * 1000).toISOString().slice(0, 10));
  }
});

test("weeks start on Monday 00:00 UTC", () => {
  const mondayS = epochSOfIso("2026-11-02T00:00:00Z")!;
  expect(secondOfWeek(mondayS)).toBe(0);
  expect(hourOfWeek(mondayS - 1)).toBe(167);
  expect(hourOfWeek(mondayS + 3 * 86_400 + 3600)).toBe(73);
  expect(secondOfWeek(-0.25)).toBe(3 * 86_400 - 0.25);
});

test.each(["2026-11-02", "2026-11-02T13:45Z", "2026-11-02T13:45:10Z", "2024-02-29", "2000-02-29"])(
  "reads %s",
  (text) => {
    expect(epochSOfIso(text)).toBe(Date.parse(text) / 1000);
  },
);

test.each([
  "2026-02-29",
  "2100-02-29",
  "2026-13-01",
  "2026-00-01",
  "2026-11-02T24:00Z",
  "2026-11-02 13:45",
  "2026-11-02T13:45",
  "soon",
])("refuses %s", (text) => {
  expect(epochSOfIso(text)).toBeNull();
});

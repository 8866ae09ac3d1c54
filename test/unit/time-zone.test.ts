import { describe, expect, test } from "vitest";
import { epochSOfIso } from "../../src/kernel/calendar-time.ts";
import { clockOf, zoneNames } from "../../src/kernel/time-zone.ts";

/** The host's time zone data as the oracle. */
function hostOffsetS(zone: string, epochS: number): number {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).formatToParts(new Date(epochS * 1000));
  const part = (type: string): number => Number(parts.find((candidate) => candidate.type === type)!.value);
  const local = Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));
  return local / 1000 - epochS;
}

describe("wall clocks", () => {
  test.each(zoneNames())("%s is what the host's time zone data says, 2025 to 2027", (zone) => {
    const fromS = epochSOfIso("2025-01-01")!;
    const toS = epochSOfIso("2028-01-01")!;
    const clock = clockOf(zone, fromS, toS)!;
    const ours = (epochS: number): number => clock.findLast((change) => change.fromEpochS <= epochS)!.offsetS;
    for (let epochS = fromS; epochS < toS; epochS += 6 * 86_400) expect(ours(epochS)).toBe(hostOffsetS(zone, epochS));
    for (const { fromEpochS } of clock.slice(1)) {
      expect([ours(fromEpochS - 1), ours(fromEpochS)]).toEqual([
        hostOffsetS(zone, fromEpochS - 1),
        hostOffsetS(zone, fromEpochS),
      ]);
      expect(ours(fromEpochS - 1)).not.toBe(ours(fromEpochS));
    }
  });

  test.each([
    ["UTC+8", 28_800],
    ["UTC-03:30", -12_600],
    ["UTC+0545", 20_700],
  ])("%s is a fixed offset", (zone, offsetS) => {
    expect(clockOf(zone, 0, 1)).toEqual([{ fromEpochS: 0, offsetS }]);
  });

  test.each(["Europe/Berlyn", "UTC+15", "CET", "", "UTC+1:7"])("%j is none", (zone) => {
    expect(clockOf(zone, 0, 1)).toBeNull();
  });
});

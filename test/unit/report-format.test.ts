import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chosen, count, durationMs, hours, intervalText, list, percent, span, usd } from "../../src/report/format.ts";

describe("numbers for people", () => {
  test.each([
    [0, "$0"],
    [0.000713, "$0.000713"],
    [1.234, "$1.23"],
    [999.6, "$1.00k"],
    [45_123, "$45.1k"],
    [999_950, "$1.00M"],
    [-210, "−$210"],
    [2_149_000_000, "$2.15B"],
  ])("%f USD reads %s", (value, text) => expect(usd(value)).toBe(text));

  test.each([
    [0.85, "0.850 ms"],
    [850, "850 ms"],
    [999.7, "1.00 s"],
    [1234, "1.23 s"],
    [0.0234, "23.4 µs"],
    [150_000, "2.50 min"],
    [9_000_000, "2.50 h"],
  ])("%f ms reads %s", (value, text) => expect(durationMs(value)).toBe(text));

  test.each([
    [0, "0 h"],
    [0.0000000001, "0 h"],
    [0.0000647, "233 ms"],
    [0.00106, "3.82 s"],
    [0.05, "3.00 min"],
    [0.973, "58.4 min"],
    [1.95, "1.95 h"],
    [47_000, "47.0k h"],
  ])("%f h reads %s", (value, text) => expect(hours(value)).toBe(text));

  test.each([
    [0, "0 %"],
    [1, "100 %"],
    [1 + 2 ** -52, "100 %"],
    [0.99997, "99.997 %"],
    [0.9942, "99.42 %"],
    [0.9999999, ">99.999 %"],
    [0.0000001, "<0.001 %"],
    [0.6231, "62.3 %"],
  ])("%f reads %s", (value, text) => expect(percent(value)).toBe(text));

  // One request in a hundred billion still shows.
  test("a share below one never reads 100 %, and one above zero never 0 %", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-11, max: 1 - 1e-11, noNaN: true }), (share) => {
        expect(Number.parseFloat(percent(share).replace(/[<>]/, ""))).toBeGreaterThan(0);
        expect(Number.parseFloat(percent(share).replace(/[<>]/, ""))).toBeLessThan(100);
      }),
    );
  });

  test("what is read back lies within half a unit of the third digit", () => {
    const scale: Record<string, number> = { "": 1, k: 1e3, M: 1e6, B: 1e9, T: 1e12 };
    fc.assert(
      fc.property(fc.double({ min: 1e-4, max: 9.9e14, noNaN: true }), (value) => {
        const match = /^\$([\d.]+)([kMBT]?)$/.exec(usd(value));
        const back = Number(match?.[1]) * (scale[match?.[2] ?? ""] ?? Number.NaN);
        expect(Math.abs(back / value - 1)).toBeLessThanOrEqual(0.00501);
      }),
    );
  });

  test("whole small counts stay whole; chosen values lose their padding", () => {
    expect(count(450)).toBe("450");
    expect(chosen(durationMs)(3000)).toBe("3 s");
    expect(chosen(durationMs)(300)).toBe("300 ms");
    expect(chosen(percent)(0.999)).toBe("99.9 %");
    expect(chosen(percent)(0.8)).toBe("80 %");
    expect(chosen(usd)(2500)).toBe("$2.5k");
  });

  test("no interval without replications, none where both ends read alike", () => {
    expect(intervalText({ mean: 1, lo: null, hi: null, n: 1 }, usd)).toBeNull();
    expect(intervalText({ mean: 1, lo: 1.0001, hi: 1.0002, n: 3 }, usd)).toBeNull();
    expect(intervalText({ mean: 45_000, lo: 44_000, hi: 46_000, n: 3 }, usd)).toBe("$44.0k – $46.0k");
  });

  test("lists and spans", () => {
    expect(list(["a", "b", "c"])).toBe("a, b and c");
    expect([span(0.004), span(0.4), span(6), span(50.4)]).toEqual(["14 s", "24 min", "6 h", "2.1 days"]);
  });
});

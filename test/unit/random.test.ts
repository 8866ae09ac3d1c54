/** Streams and counter draws are an API: these first values may change only with a version. */
import { expect, test } from "vitest";
import { counterKey, stream, threefry2x32, unit, words } from "../../src/kernel/random.ts";

const hex = (): string[] => [...words].map((word) => word.toString(16).padStart(8, "0"));

test.each([
  { key: [0, 0], counter: [0, 0], expected: ["6b200159", "99ba4efe"] },
  { key: [0xffffffff, 0xffffffff], counter: [0xffffffff, 0xffffffff], expected: ["1cb996fc", "bb002be7"] },
  { key: [0x13198a2e, 0x03707344], counter: [0x243f6a88, 0x85a308d3], expected: ["c4923a9c", "483df7a0"] },
])("Threefry-2x32-20 gives the published answer $expected", ({ key, counter, expected }) => {
  threefry2x32(key[0]!, key[1]!, counter[0]!, counter[1]!);
  expect(hex()).toEqual(expected);
});

test("the first draws of a stream are frozen", () => {
  const draw = stream("7", 0, "traffic/arrivals");
  expect([draw(), draw(), draw()]).toMatchInlineSnapshot(`
    [
      0.44577526836656034,
      0.14302011975087225,
      0.6822754296008497,
    ]
  `);
  expect(counterKey("7", 0, "provider/luck")).toMatchInlineSnapshot(`2355447191`);
});

test("a stream depends on seed, replication and name, and on nothing else", () => {
  const first = (seed: string, replication: number, name: string): number => stream(seed, replication, name)();
  const base = first("7", 1, "a");
  stream("7", 1, "b")();
  expect(first("7", 1, "a")).toBe(base);
  expect(new Set([base, first("8", 1, "a"), first("7", 2, "a"), first("7", 1, "b"), first("71", 0, "a")]).size).toBe(5);
});

test("streams are uniform and unrelated: mean, variance and correlations within 4 standard errors", () => {
  const count = 200_000;
  const a = stream("7", 0, "a");
  const b = stream("7", 0, "b");
  let sum = 0;
  let squares = 0;
  let between = 0;
  let lagged = 0;
  let before = 0;
  for (let i = 0; i < count; i++) {
    const x = a() - 0.5;
    sum += x;
    squares += x * x;
    between += x * (b() - 0.5);
    lagged += x * before;
    before = x;
  }
  const standardError = 1 / Math.sqrt(count);
  expect(Math.abs(sum / count)).toBeLessThan(4 * Math.sqrt(1 / 12) * standardError);
  expect(Math.abs(squares / count - 1 / 12)).toBeLessThan(4 * Math.sqrt(1 / 180) * standardError);
  expect(Math.abs(between / count)).toBeLessThan((4 / 12) * standardError);
  expect(Math.abs(lagged / count)).toBeLessThan((4 / 12) * standardError);
});

test("unit turns words into numbers strictly between 0 and 1", () => {
  expect(unit(0)).toBeGreaterThan(0);
  expect(unit(0xffffffff)).toBeLessThan(1);
  expect(unit(-1)).toBe(unit(0xffffffff));
  expect(unit(0x80000000)).toBeCloseTo(0.5, 9);
});

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isRecord, type Values } from "../../src/experiment/limits-replay/fields.ts";
import { readFixtures, type Fixture } from "../../src/experiment/limits-replay/fixture.ts";
import { replayFixture } from "../../src/experiment/limits-replay/replay.ts";
import { DataError } from "../../src/kernel/errors.ts";
import { LIMIT_KINDS } from "../../src/provider/limits/registry.ts";

const read = (name: string): Fixture[] =>
  readFixtures(readFileSync(new URL(`../fixtures/${name}`, import.meta.url), "utf8"), name);
const published = read("admission-fixtures.json");
const own = read("limit-examples.json");
const all = [...published, ...own];

test.each(all)("$id", (fixture) => {
  const { events, ...result } = replayFixture(fixture);
  expect(events.filter(({ pass }) => !pass)).toEqual([]);
  expect(result).toEqual({ id: fixture.id, pass: true });
});

test("there is an example of every kind of limit", () => {
  const kinds = own.flatMap(({ config }) =>
    [config, ...((config["offers"] as Values[] | undefined) ?? [])].flatMap((offer) =>
      ((offer["limits"] as Values[] | undefined) ?? []).map(({ kind }) => kind),
    ),
  );
  expect([...new Set(kinds)].sort()).toEqual([...LIMIT_KINDS].sort());
});

/** Every number, text and flag that is expected, each with another in its place, one at a time. */
function variants(expected: Values): Values[] {
  return Object.entries(expected).flatMap(([name, value]): Values[] => {
    if (isRecord(value)) return variants(value).map((inner) => ({ ...expected, [name]: inner }));
    const numeric = typeof value === "number" || (typeof value === "string" && /^\d+$/.test(value));
    const other =
      value === null ? 1 : numeric ? Number(value) + 2 : typeof value === "boolean" ? !value : `${String(value)}!`;
    return [{ ...expected, [name]: other }];
  });
}

test("whatever else is expected, an example fails, and names the field", () => {
  let changed = 0;
  for (const fixture of all) {
    fixture.expected.forEach((expected, i) => {
      for (const variant of variants(expected)) {
        const result = replayFixture({ ...fixture, expected: fixture.expected.with(i, variant) });
        expect(result.pass, `${fixture.id} ${i} ${JSON.stringify(variant)}`).toBe(false);
        expect(result.events[i]!.differs).toHaveLength(1);
        changed++;
      }
    });
  }
  expect(changed).toBeGreaterThan(250);
});

describe("what is not known is refused by name", () => {
  const bucket = { id: "tpm", kind: "token_bucket", limit_per_min: 60 };
  const arrival = { t_ms: 0, type: "arrive", req: "r", charges: { tpm: 1 } };
  const reasonOf = (change: Partial<Fixture>): string => {
    const fixture = {
      id: "x",
      calc: null,
      config: { limits: [bucket] },
      events: [arrival],
      expected: [{ status: 200 }],
    };
    const result = replayFixture({ ...fixture, ...change });
    expect(result.pass).toBe(false);
    return result.reason ?? result.events.find(({ pass }) => !pass)!.reason!;
  };

  test.each<[string, Partial<Fixture>, RegExp]>([
    ["kind", { config: { limits: [{ ...bucket, kind: "token_bukcet" }] } }, /unknown kind of limit "token_bukcet"/],
    ["field of a limit", { config: { limits: [{ ...bucket, burst_ms: 1 }] } }, /limits\[0\]: unknown field "burst_ms"/],
    ["field of config", { config: { limits: [bucket], jitter: 1 } }, /config: unknown field "jitter"/],
    ["limit in charges", { events: [{ ...arrival, charges: { rpm: 1 } }] }, /no limit "rpm"/],
    ["type of event", { events: [{ ...arrival, type: "teleport" }] }, /unknown type of event "teleport"/],
    ["field of an event", { events: [{ ...arrival, priority: 1 }] }, /events\[0\]: unknown field "priority"/],
    ["expected field", { expected: [{ colour: "red" }] }, /expected field "colour"/],
    ["expected reading", { expected: [{ count_after: { tpm: 1 } }] }, /expected field "count_after.tpm"/],
    ["calculation", { calc: "units_neded" }, /unknown calculation "units_neded" \(did you mean "units_needed"/],
    [
      "time zone",
      { config: { limits: [{ ...bucket, kind: "fixed_window", limit: 1, window_ms: 1, tz: "Mars" }] } },
      /Mars/,
    ],
    ["missing parameter", { config: { limits: [{ id: "tpm", kind: "concurrency" }] } }, /limits\[0\] needs limit/],
    ["number that is text", { config: { limits: [{ ...bucket, limit_per_min: "60" }] } }, /limit_per_min is no number/],
    ["end of a stranger", { events: [{ t_ms: 0, type: "finish", req: "s" }] }, /s was not admitted/],
    ["missing expectation", { expected: [] }, /1 events, but 0 expected/],
    [
      "time that runs back",
      { events: [{ ...arrival, t_ms: 5 }, arrival], expected: [{}, {}] },
      /events\[1\] is before the event in front of it/,
    ],
  ])("%s", (_, change, reason) => {
    expect(reasonOf(change)).toMatch(reason);
  });

  test("files of another form", () => {
    for (const text of [
      "{",
      "{}",
      '{"fixtures":[1]}',
      '{"fixtures":[{}]}',
      '{"fixtures":[{"id":"x","events":1,"expected":[]}]}',
    ]) {
      expect(() => readFixtures(text, "f.json")).toThrow(DataError);
    }
  });
});

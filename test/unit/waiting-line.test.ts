/** The line of waiting requests against a list that is searched from scratch. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { OrderPlugin } from "../../src/engine/policies/policy.ts";
import { orderNamed } from "../../src/engine/policies/registry.ts";
import { TableFacts } from "../../src/engine/request-facts.ts";
import { RequestTable } from "../../src/engine/request-table.ts";
import { WaitingLine } from "../../src/engine/waiting-line.ts";
import { PolicyError } from "../../src/kernel/errors.ts";

const TENANTS = 3;

interface Made {
  readonly line: WaitingLine;
  readonly table: RequestTable;
  /** Puts a new request at the end. */
  readonly arrive: (input: number, tenant?: number, atS?: number) => number;
}

function make(order: OrderPlugin, options: Record<string, number> = {}): Made {
  const table = new RequestTable(2);
  const classes = Array.from({ length: TENANTS }, (_, c) => ({
    priority: TENANTS - c,
    ttftS: c === 0 ? null : 10 * c,
  }));
  const line = new WaitingLine(order, options, new TableFacts(table, classes, 0), table, TENANTS);
  const arrive = (input: number, tenant = 0, atS = 0): number => {
    const slot = table.take();
    table.inputTokens[slot] = input;
    table.classIndex[slot] = tenant;
    table.attemptS[slot] = atS;
    line.push(slot);
    return slot;
  };
  return { line, table, arrive };
}

const byPrompt = orderNamed("shortest-prompt")!;
const fairShare = orderNamed("fair-share")!;

test("by key, equals in order of arrival, whoever leaves in between", () => {
  const action = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(0), fc.integer({ min: -20, max: -1 }));
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
      const { line, table, arrive } = make(byPrompt, { agingTokensPerS: 0 });
      let waiting: { slot: number; input: number; arrival: number }[] = [];
      const first = (): number | undefined =>
        [...waiting].sort((a, b) => a.input - b.input || a.arrival - b.arrival)[0]?.slot;
      let arrival = 0;
      for (const what of actions) {
        if (what > 0) waiting.push({ slot: arrive(what), input: what, arrival: arrival++ });
        else if (waiting.length > 0) {
          const gone = what === 0 ? first()! : waiting[-what % waiting.length]!.slot;
          line.remove(gone);
          table.release(gone);
          waiting = waiting.filter(({ slot }) => slot !== gone);
        }
        expect(line.count).toBe(waiting.length);
        if (waiting.length > 0) expect(line.first()).toBe(first());
        const all = Array.from({ length: line.count }, (_, i) => line.at(i));
        expect(all.sort()).toEqual(waiting.map(({ slot }) => slot).sort());
      }
    }),
    { numRuns: 200 },
  );
});

test("who is preempted comes back first under first come first served, else to the old place", () => {
  for (const [name, expected] of [
    ["fcfs", "front"],
    ["priority", "old place"],
  ] as const) {
    const { line, arrive } = make(orderNamed(name)!);
    const [a, b, c] = [arrive(1), arrive(1), arrive(1)];
    line.remove(b);
    line.pushPreempted(b);
    expect(line.first()).toBe(expected === "front" ? b : a);
    line.remove(line.first());
    expect(line.first()).toBe(expected === "front" ? a : b);
    line.remove(line.first());
    expect(line.first()).toBe(c);
  }
});

test.each([
  ["priority", {}, 2],
  ["edf", {}, 1],
  ["shortest-prompt", { agingTokensPerS: 0 }, 2],
  // A prompt token for each second of waiting: the oldest has made up for the length.
  ["shortest-prompt", { agingTokensPerS: 10 }, 0],
  ["fcfs", {}, 0],
])("%s with %o serves the right one first", (name, options, expected) => {
  const { line, arrive } = make(orderNamed(name)!, options);
  const slots = [arrive(30, 0, 0), arrive(20, 1, 3), arrive(10, 2, 5)];
  expect(line.first()).toBe(slots[expected]);
});

test.each([NaN, undefined])("a key %s, which a heap would lose, is refused with the name of the order", (key) => {
  const order = { ...byPrompt, name: "mine", create: () => ({ key: () => key as number }) };
  const { arrive } = make(order);
  expect(() => arrive(1)).toThrow(PolicyError);
  expect(() => arrive(1)).toThrow(`mine gives a request the key ${key}`);
});

test.each([0, -1, NaN, undefined])("a charge of %s, which would leave its tenant the poorest, is refused", (weight) => {
  const charges = () => ({ inputWeight: 1, outputWeight: weight as number });
  expect(() => make({ ...fairShare, name: "mine", charges })).toThrow(
    `mine charges an outputWeight of ${weight}: a number above 0 is needed`,
  );
});

describe("fair shares", () => {
  const options = { inputWeight: 1, outputWeight: 2 };

  test("the tenant with the least service first", () => {
    const { line, arrive } = make(fairShare, options);
    const [a, b] = [arrive(1, 0), arrive(1, 1)];
    line.settle();
    line.charge(0, 10, 0);
    line.charge(1, 3, 3);
    expect(line.first()).toBe(b);
    line.charge(1, 0, 1);
    expect(line.first()).toBe(a);
  });

  test("who was away starts level with those that wait", () => {
    const { line, arrive } = make(fairShare, options);
    const a = arrive(1, 0);
    line.settle();
    line.charge(0, 100, 0);
    const late = arrive(1, 1);
    line.settle();
    // Level: of equals the first tenant; then a token of service decides.
    expect(line.first()).toBe(a);
    line.charge(0, 1, 0);
    expect(line.first()).toBe(late);
    line.charge(1, 2, 0);
    expect(line.first()).toBe(a);
  });

  test("when nobody waits the last that left is the level, and who came only to go is not", () => {
    const { line, table, arrive } = make(fairShare, options);
    line.charge(0, 100, 0);
    const a = arrive(1, 0);
    line.settle();
    line.remove(a);
    table.release(a);
    // Tenant 1 comes and goes before a boundary has seen it.
    line.remove(arrive(1, 1));
    const b = arrive(1, 2);
    line.settle();
    const again = arrive(1, 0);
    line.settle();
    line.charge(2, 1, 0);
    // Had tenant 2 started at nothing it would still be far behind the 100 of tenant 0.
    expect(line.first()).toBe(again);
    expect(line.count).toBe(2);
    expect(b).not.toBe(again);
  });

  test("after a restart nobody was served", () => {
    const { line, arrive } = make(fairShare, options);
    line.charge(0, 100, 0);
    line.clear();
    const a = arrive(1, 0);
    arrive(1, 1);
    line.settle();
    expect(line.first()).toBe(a);
  });
});

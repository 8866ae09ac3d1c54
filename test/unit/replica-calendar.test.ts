/** EQ-1 and EQ-2 of the calendar of replicas, against a search through the list. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { InvariantError } from "../../src/kernel/errors.ts";
import { ReplicaCalendar } from "../../src/kernel/replica-calendar.ts";

test("EQ-1: the first is the least by (time, replica), whatever moved before", () => {
  const move = fc.record({
    replica: fc.nat(1000),
    timeS: fc.oneof(
      fc.integer({ min: 0, max: 5 }),
      fc.constant(Infinity),
      // Apart by less than a tick, and further than ticks reach, on both sides.
      fc.integer({ min: 0, max: 5 }).map((i) => 3 + i * 1e-8),
      fc.integer({ min: -3, max: 3 }).map((i) => i * 400),
      fc.integer({ min: -3, max: 3 }).map((i) => i * 1e7),
    ),
    removes: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.array(move, { maxLength: 200 }), (replicas, moves) => {
      const calendar = new ReplicaCalendar(replicas);
      const dueS = Array.from({ length: replicas }, () => Infinity);
      for (const { replica: any, timeS, removes } of moves) {
        const replica = any % replicas;
        dueS[replica] = timeS;
        if (removes && timeS === Infinity) calendar.remove(replica);
        else calendar.schedule(replica, timeS);
        const firstS = Math.min(...dueS);
        expect(calendar.firstDueS()).toBe(firstS);
        if (firstS === Infinity) continue;
        expect(calendar.first()).toBe(dueS.indexOf(firstS));
      }
    }),
  );
});

test("nothing due at first", () => {
  expect(new ReplicaCalendar(3).firstDueS()).toBe(Infinity);
});

test("EQ-2: NaN throws", () => {
  const calendar = new ReplicaCalendar(2);
  expect(() => calendar.schedule(1, NaN)).toThrow(InvariantError);
});

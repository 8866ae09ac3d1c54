/** EQ-1 and EQ-2 of the calendar of replicas, against a search through the list. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { InvariantError } from "../../src/kernel/errors.ts";
import { ReplicaCalendar, STEP_END, STEP_FORM } from "../../src/kernel/replica-calendar.ts";

test("EQ-1: the first is the least by (time, kind, replica), whatever moved before", () => {
  const move = fc.record({
    replica: fc.nat(1000),
    timeS: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constant(Infinity)),
    kind: fc.constantFrom(STEP_END, STEP_FORM),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.array(move, { maxLength: 200 }), (replicas, moves) => {
      const calendar = new ReplicaCalendar(replicas);
      const dueS = Array.from({ length: replicas }, () => Infinity);
      const kinds = Array.from({ length: replicas }, () => STEP_END);
      for (const { replica: any, timeS, kind } of moves) {
        const replica = any % replicas;
        dueS[replica] = timeS;
        kinds[replica] = kind;
        calendar.schedule(replica, timeS, kind);
        const firstS = Math.min(...dueS);
        expect(calendar.firstDueS()).toBe(firstS);
        if (firstS === Infinity) continue;
        let first = 0;
        for (let r = 1; r < replicas; r++) {
          if (dueS[r]! < dueS[first]! || (dueS[r] === dueS[first] && kinds[r]! < kinds[first]!)) first = r;
        }
        expect(calendar.first()).toBe(first);
      }
    }),
  );
});

test("step ends come before the forming of steps at one instant", () => {
  const calendar = new ReplicaCalendar(2);
  calendar.schedule(0, 3, STEP_FORM);
  calendar.schedule(1, 3, STEP_END);
  expect(calendar.first()).toBe(1);
});

test("nothing due at first", () => {
  expect(new ReplicaCalendar(3).firstDueS()).toBe(Infinity);
});

test("EQ-2: NaN throws", () => {
  const calendar = new ReplicaCalendar(2);
  expect(() => calendar.schedule(1, NaN, STEP_END)).toThrow(InvariantError);
});

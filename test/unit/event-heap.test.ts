/** EQ-1 and EQ-2 of the heap of control events, against a sorted list. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EventHeap } from "../../src/kernel/event-heap.ts";

interface Event {
  readonly timeS: number;
  readonly kind: number;
  readonly payload: number;
  readonly tag: number;
}

function take(heap: EventHeap): Event {
  const event = {
    timeS: heap.firstTimeS,
    kind: heap.firstKind(),
    payload: heap.firstPayload(),
    tag: heap.firstTag(),
  };
  heap.pop();
  return event;
}

test("EQ-1: events come out by time, then kind, then the order in which they went in", () => {
  const events = fc.array(fc.record({ timeS: fc.integer({ min: 0, max: 9 }), kind: fc.integer({ min: 0, max: 3 }) }), {
    maxLength: 700,
  });
  fc.assert(
    fc.property(events, (list) => {
      const heap = new EventHeap();
      // Array sorting is stable, so equal (time, kind) keep their order.
      const expected = list.map((event, payload) => ({ ...event, payload, tag: payload / 2 }));
      for (const { timeS, kind, payload, tag } of expected) heap.push(timeS, kind, payload, tag);
      expected.sort((a, b) => a.timeS - b.timeS || a.kind - b.kind);
      expect(heap.size).toBe(list.length);
      expect(expected.map(() => take(heap))).toEqual(expected);
      expect(heap.size).toBe(0);
      expect(heap.firstTimeS).toBe(Infinity);
    }),
  );
});

test("EQ-1 with pushes and pops mixed, as a simulation does", () => {
  const step = fc.record({
    laterS: fc.integer({ min: 0, max: 5 }),
    kind: fc.integer({ min: 0, max: 3 }),
    pops: fc.integer({ min: 0, max: 2 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const heap = new EventHeap();
      const list: Event[] = [];
      let nowS = 0;
      steps.forEach(({ laterS, kind, pops }, payload) => {
        heap.push(nowS + laterS, kind, payload, 0);
        list.push({ timeS: nowS + laterS, kind, payload, tag: 0 });
        for (let i = 0; i < pops && list.length > 0; i++) {
          list.sort((a, b) => a.timeS - b.timeS || a.kind - b.kind || a.payload - b.payload);
          const expected = list.shift()!;
          expect(take(heap)).toEqual(expected);
          // EQ-2: what comes out never lies before what came out.
          expect(expected.timeS).toBeGreaterThanOrEqual(nowS);
          nowS = expected.timeS;
        }
      });
      expect(heap.size).toBe(list.length);
    }),
  );
});

describe("growth", () => {
  test("keeps what is in it", () => {
    const heap = new EventHeap();
    for (let i = 0; i < 5000; i++) heap.push((i * 7919) % 5000, 1, i, -i);
    for (let timeS = 0; timeS < 5000; timeS++) {
      const { timeS: at, payload, tag } = take(heap);
      expect(at).toBe(timeS);
      expect((payload * 7919) % 5000).toBe(timeS);
      expect(tag).toBe(-payload);
    }
  });
});

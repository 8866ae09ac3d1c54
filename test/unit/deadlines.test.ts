/** The deadlines of requests against a plain list of who is in a pool. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Deadlines } from "../../src/dispatch/deadlines.ts";
import { AT_CLIENT, AT_OFFER, IN_POOL, NO_SLOT, RequestTable } from "../../src/engine/request-table.ts";

const PATIENCE_S = [5, 17, 60];

class Clients {
  readonly table = new RequestTable(2);
  readonly deadlines = new Deadlines(this.table, PATIENCE_S, 0);
  private sent = 0;

  send(sentS: number, classIndex: number, where: number): number {
    const { table } = this;
    const slot = table.take();
    table.ordinal[slot] = this.sent++;
    table.classIndex[slot] = classIndex;
    table.deadlineS[slot] = sentS + PATIENCE_S[classIndex]!;
    table.where[slot] = where;
    return slot;
  }
}

test("whoever is in a pool gives up at its deadline, in order of deadlines, and nobody else does", () => {
  const event = fc.record({
    gapS: fc.integer({ min: 0, max: 6 }),
    classIndex: fc.nat(PATIENCE_S.length - 1),
    where: fc.constantFrom(IN_POOL, IN_POOL, AT_OFFER),
    /** Which of those in flight ends now, if any. */
    ends: fc.option(fc.nat(50)),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 150 }), (events) => {
      const clients = new Clients();
      const { table, deadlines } = clients;
      let live: number[] = [];
      const release = (slot: number): void => {
        live = live.filter((other) => other !== slot);
        table.release(slot);
      };
      const expected = (): number => {
        const inPools = live.filter((slot) => table.where[slot] === IN_POOL);
        return Math.min(Infinity, ...inPools.map((slot) => table.deadlineS[slot]!));
      };
      const passUntil = (timeS: number): void => {
        while (deadlines.nextS <= timeS) {
          const boundS = deadlines.nextS;
          const slot = deadlines.refresh(boundS);
          expect(deadlines.nextS).toBeGreaterThanOrEqual(boundS);
          expect(deadlines.nextS).toBeLessThanOrEqual(expected());
          // Each call gets further or names who gives up now.
          if (slot === NO_SLOT) expect(deadlines.nextS).toBeGreaterThan(boundS);
          else expect(table.deadlineS[slot]).toBe(expected());
          if (slot !== NO_SLOT && deadlines.nextS === boundS) release(slot);
        }
        expect(expected()).toBeGreaterThan(timeS);
      };
      let nowS = 0;
      for (const { gapS, classIndex, where, ends } of events) {
        nowS += gapS;
        passUntil(nowS);
        live.push(clients.send(nowS, classIndex, where));
        if (ends !== null && ends < live.length) release(live[ends]!);
      }
      passUntil(nowS + 100);
      expect(live.filter((slot) => table.where[slot] === IN_POOL)).toEqual([]);
    }),
  );
});

test("a request that waits at its client for a retry still gives up once it is in a pool again", () => {
  const clients = new Clients();
  const { table, deadlines } = clients;
  const short = clients.send(0, 0, IN_POOL);
  const retrying = clients.send(0, 2, AT_CLIENT);
  // The deadline of the first passes while the second is between two attempts.
  expect(deadlines.refresh(5)).toBe(short);
  table.release(short);
  table.where[retrying] = IN_POOL;
  while (deadlines.nextS < 60) expect(deadlines.refresh(deadlines.nextS)).toBe(NO_SLOT);
  expect(deadlines.refresh(60)).toBe(retrying);
});

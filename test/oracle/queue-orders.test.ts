/** Queue orders as theory has them: one server, synthetic step times, and what each order does to the wait. */
import { describe, expect, test } from "vitest";
import { EngineMeter, type ReplicaSink } from "../../src/engine/meter.ts";
import { PolicyReplica } from "../../src/engine/policy-replica.ts";
import { RequestTable } from "../../src/engine/request-table.ts";
import { DEFAULT_SCHEDULER, type PolicyChoice } from "../../src/engine/scheduler-spec.ts";
import { Sketch } from "../../src/kernel/sketch.ts";
import { expectTheory } from "./interval.ts";
import {
  discretisationBias,
  EXPONENTIAL,
  replicate,
  waitMmc,
  waitShortestFirst,
  waitsOfPriorities,
} from "./queueing-models.ts";
import type { QueueOutcome } from "./replica-driver.ts";
import { engineSpec } from "./scenario.ts";

const LOAD = 0.6;
const BIAS = 2 * discretisationBias(LOAD);

function queue(name: string, options: Record<string, number> = {}): QueueOutcome[] {
  const order: PolicyChoice = { name, options };
  return replicate(10, {
    servers: 1,
    load: LOAD,
    service: EXPONENTIAL,
    discipline: "servers",
    requests: 20_000,
    order,
  });
}

const waits = (runs: readonly QueueOutcome[]): number[] => runs.map(({ waitS }) => waitS);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe(`M/M/1 at load ${LOAD}`, () => {
  const fcfs = queue("fcfs");
  const shortest = queue("predicted-shortest", { sigma: 0 });

  test("first come first served waits as Pollaczek and Khinchine say", () => {
    expectTheory(waits(fcfs), waitMmc(1, LOAD), 0.1, BIAS);
  });

  test.each(["priority", "edf"])("two classes under %s wait as Cobham says", (order) => {
    // Under edf the second class has no deadline, so it comes after all others.
    const runs = queue(order);
    waitsOfPriorities(LOAD).forEach((theory, c) =>
      expectTheory(
        runs.map(({ waitSOfClass }) => waitSOfClass[c]!),
        theory,
        0.1,
        BIAS,
      ),
    );
    // Who goes first is no matter of work: the mean wait over both stays what it is.
    expectTheory(waits(runs), waitMmc(1, LOAD), 0.1, BIAS);
  });

  test("the shortest first waits as Phipps says, less than first come first served", () => {
    const theory = waitShortestFirst(LOAD);
    expect(theory).toBeLessThan(0.8 * waitMmc(1, LOAD));
    expectTheory(waits(shortest), theory, 0.1, BIAS);
  });

  test("a worse prediction waits longer, but never as long as none", () => {
    const means = [shortest, queue("predicted-shortest", { sigma: 1.5 }), fcfs];
    const sorted = means.map((runs) => mean(waits(runs)));
    expect(sorted).toEqual([...sorted].sort((a, b) => a - b));
    expect(new Set(sorted).size).toBe(3);
  });
});

describe("two tenants with a backlog, one with requests eight times the other's", () => {
  const INPUT = 20;
  const OUTPUTS = [40, 320] as const;
  const SEATS = 4;

  /** Largest difference between the service that both have had at a boundary while both wait, and what they had in the end. */
  function serve(order: PolicyChoice): { apart: number; served: number } {
    const table = new RequestTable(8);
    const services = [0, 0];
    const running = new Set<number>();
    const impossible = (): never => {
      throw new Error("nothing was cancelled and nothing failed");
    };
    const sink: ReplicaSink = {
      completed: (slot) => {
        running.delete(slot);
        services[table.classIndex[slot]]! += INPUT + 2 * table.outputTokens[slot];
        table.release(slot);
      },
      dropped: impossible,
      lost: impossible,
    };
    const replica = new PolicyReplica(
      {
        spec: engineSpec({ maxNumSeqs: SEATS, maxNumBatchedTokens: 64, kvBlocks: 10_000 }),
        scheduler: { ...DEFAULT_SCHEDULER, order },
        stepTime: { decodeBaseS: new Float64Array(SEATS + 1).fill(1), perContextTokenS: 0, mixedS: () => 1 },
        classes: [0, 1].map(() => ({ priority: 0, ttftS: null })),
        luckKey: 0,
        content: null,
        walk: false,
      },
      table,
      sink,
      new EngineMeter([new Sketch(), new Sketch()]),
    );
    const waiting = [0, 0];
    for (let i = 0; i < 400; i++) {
      const slot = table.take();
      const tenant = i % 2;
      table.classIndex[slot] = tenant;
      table.inputTokens[slot] = INPUT;
      table.outputTokens[slot] = table.maxOutputTokens[slot] = OUTPUTS[tenant]!;
      waiting[tenant]!++;
      replica.enqueue(slot);
    }
    let apart = 0;
    for (;;) {
      replica.form();
      for (let i = 0; i < replica.batch.runningCount; i++) {
        const slot = replica.batch.slots[i]!;
        if (!running.has(slot)) waiting[table.classIndex[slot]]!--;
        running.add(slot);
      }
      if (waiting.some((count) => count === 0)) break;
      replica.finish();
      const had = [...services];
      for (const slot of running) had[table.classIndex[slot]]! += INPUT + 2 * table.generated[slot];
      apart = Math.max(apart, Math.abs(had[0]! - had[1]!));
    }
    return { apart, served: Math.min(...services) };
  }

  test("their services stay within two batches of each other under fair shares, and not under first come first served", () => {
    // Sheng et al. 2024, theorem 4.4: twice the larger of a prompt's weight and that of all tokens of a batch.
    const bound = 2 * Math.max(INPUT, 2 * SEATS * OUTPUTS[1]);
    const fair = serve({ name: "fair-share", options: { inputWeight: 1, outputWeight: 2 } });
    expect(fair.apart).toBeLessThanOrEqual(bound);
    expect(fair.served).toBeGreaterThan(3 * bound);
    expect(serve({ name: "fcfs", options: {} }).apart).toBeGreaterThan(3 * bound);
  });
});

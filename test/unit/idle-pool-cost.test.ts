/** What a pool costs falls to the classes that may use it, also while nobody does: costs of classes add up to the whole. */
import { expect, test } from "vitest";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import type { RouteTarget } from "../../src/scenario/resolved.ts";
import {
  offer,
  poissonTraffic,
  pool,
  requestClass,
  runOptions,
  setting,
  strategy,
  to,
} from "../fixtures/strategies.ts";

const CLASSES = [
  requestClass({ name: "often", shareFraction: 1 }),
  requestClass({ name: "never", shareFraction: 0 }),
  requestClass({ name: "rare", shareFraction: 1e-12 }),
];

/** USD of own GPUs by class. */
function gpuUsd(routes: readonly (readonly RouteTarget[])[]): Readonly<Record<string, number>> {
  const of = setting({ classes: CLASSES, horizonS: 600 });
  const plan = strategy(
    routes.map((route) => [...route]),
    [pool()],
    [offer()],
  );
  const { ledger } = simulateRun(of, plan, poissonTraffic(of), runOptions({ replicas: [1] })).series;
  const sums: Record<string, number> = {};
  ledger.usd.forEach((usd, i) => {
    const name = ledger.className[i]!;
    if (ledger.line[i]!.startsWith("gpu-")) sums[name] = (sums[name] ?? 0) + usd;
  });
  return sums;
}

test("who is served pays, by what was served", () => {
  expect(Object.keys(gpuUsd([[to("pool")], [to("pool")], [to("pool")]]))).toEqual(["often"]);
});

test("a pool that is kept for a class which drew no request is charged to that class", () => {
  expect(Object.keys(gpuUsd([[to("offer")], [to("offer")], [to("pool")]]))).toEqual(["rare"]);
});

test("a pool that no route names is charged to all, by their shares", () => {
  const usd = gpuUsd([[to("offer")], [to("offer")], [to("offer")]]);
  expect(usd[""]).toBeUndefined();
  expect(usd["often"]).toBeGreaterThan(0);
  expect(usd["rare"]! / usd["often"]!).toBeCloseTo(1e-12, 15);
});

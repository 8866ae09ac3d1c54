/** What happens at one instant in a fleet: ends of steps, then arrivals, then the forming of steps by the replicas' numbers. */
import { expect, test } from "vitest";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import type { StepObserver } from "../../src/engine/step-observer.ts";
import { listTraffic, pool, requestClass, RowList, runOptions, setting, strategy, to } from "../fixtures/strategies.ts";

const REPLICAS = 3;
/** Every step without decodes takes an eighth of a second, which binary fractions hold exactly. */
const STEP_MS = 125;
const STEP_TABLE = [1, 1000].map((batchTokens) => ({ batchTokens, promptMs: STEP_MS, tokenMs: STEP_MS }));
const MIXED_S = (1.1 * STEP_MS) / 1000;

const FIRST_S = 1;
const SECOND_S = FIRST_S + STEP_MS / 1000;
/** Two requests for each idle replica at once, and one more for each in the very instant in which their step ends. */
const REQUESTS = [...Array<number>(2 * REPLICAS).fill(FIRST_S), ...Array<number>(REPLICAS).fill(SECOND_S)].map(
  (timeS) => ({ timeS, inputTokens: 20, outputTokens: 10 }),
);

function run(observe?: (pool: string, replica: number) => StepObserver): RowList {
  const router = { name: "round-robin", options: {} };
  const engine = { apiOverheadMs: 0 };
  const spec = pool({ replicas: REPLICAS, router, networkS: 0, engine, stepTimeTable: STEP_TABLE });
  const rows = new RowList();
  simulateRun(
    setting({ classes: [requestClass()], horizonS: 60 }),
    strategy([[to("pool")]], [spec]),
    listTraffic(REQUESTS),
    runOptions({ replicas: [REPLICAS], rows, ...(observe === undefined ? {} : { observe }) }),
  );
  return rows;
}

test("a step is formed when all arrivals of its instant are in", () => {
  const { list } = run();
  expect(list).toHaveLength(REQUESTS.length);
  for (const { request, ttftS } of list)
    expect(ttftS, `request ${request}`).toBeCloseTo(request < 2 * REPLICAS ? STEP_MS / 1000 : MIXED_S, 12);
});

test("steps of one instant are formed in the order of the replicas", () => {
  const formed: { readonly atS: number; readonly replica: number }[] = [];
  run((_, replica) => ({
    formed: ({ startS }) => formed.push({ atS: startS, replica }),
    ended: () => undefined,
    rested: () => undefined,
  }));
  for (const instantS of [FIRST_S, SECOND_S])
    expect(formed.filter(({ atS }) => atS === instantS).map(({ replica }) => replica)).toEqual([0, 1, 2]);
});

/** The proof of `test/oracle/engine-leap.test.ts` over many more scenarios, none of which that one runs. */
import { expect, test } from "vitest";
import { differences } from "../oracle/compare-outcomes.ts";
import { stepThrough } from "../oracle/naive-stepper.ts";
import { randomScenario } from "../oracle/random-scenarios.ts";
import { driveScenario } from "../oracle/replica-driver.ts";

const FIRST = 1_000_000;
const SCENARIOS = 100_000;

test(`leaping gives what walking gives, in ${SCENARIOS} random scenarios`, () => {
  const failed: string[] = [];
  for (let number = FIRST; number < FIRST + SCENARIOS; number++) {
    const scenario = randomScenario(number);
    const found = differences(scenario, driveScenario(scenario), stepThrough(scenario));
    if (found.length > 0) failed.push(`scenario ${number}: ${found.join("; ")}`);
  }
  expect(failed.slice(0, 5), `${failed.length} scenarios differ`).toEqual([]);
});

/** The proof of `test/oracle/policy-leap.test.ts` over many more scenarios, none of which that one runs. */
import { expect, test } from "vitest";
import { differences, differencesOfEngines } from "../oracle/compare-outcomes.ts";
import { stepThroughPolicy } from "../oracle/naive-policies.ts";
import { randomPolicyScenario } from "../oracle/random-policy-scenarios.ts";
import { drivePolicyScenario } from "../oracle/replica-driver.ts";

const FIRST = 1_000_000;
const SCENARIOS = 30_000;
const LEAPS = 60_000;

test(`leaping gives what the naive stepper gives, in ${SCENARIOS} scenarios of all policies`, () => {
  const failed: string[] = [];
  for (let number = FIRST; number < FIRST + SCENARIOS; number++) {
    const scenario = randomPolicyScenario(number);
    const found = differences(scenario, drivePolicyScenario(scenario), stepThroughPolicy(scenario));
    if (found.length > 0) failed.push(`scenario ${number}: ${found.join("; ")}`);
  }
  expect(failed.slice(0, 5), `${failed.length} scenarios differ`).toEqual([]);
});

test(`leaping is walking, in ${LEAPS} more`, () => {
  const failed: string[] = [];
  for (let number = FIRST + SCENARIOS; number < FIRST + SCENARIOS + LEAPS; number++) {
    const scenario = randomPolicyScenario(number);
    const found = differencesOfEngines(drivePolicyScenario(scenario), drivePolicyScenario(scenario, true));
    if (found.length > 0) failed.push(`scenario ${number}: ${found.join("; ")}`);
  }
  expect(failed.slice(0, 5), `${failed.length} scenarios differ`).toEqual([]);
});

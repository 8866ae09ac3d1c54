/** The fit itself, on predictions of which the answer is known. */
import { expect, test } from "vitest";
import { fitParameters, type FitProblem } from "../../src/experiment/calibrate/fit.ts";

/** Waits of queues at loads of 0.2 to 0.9 by the first parameter, beside a constant by the second: steep and convex at the loads above. */
function logWaits([speed = 0, constant = 0]: readonly number[]): Float64Array {
  const loads = Array.from({ length: 120 }, (_, i) => 0.2 + (0.7 * i) / 119);
  return Float64Array.from(loads, (load) => {
    const busy = Math.min(0.999, load * Math.exp(-0.1 * speed));
    return Math.log(busy / (1 - busy) + 0.5 + 0.2 * constant);
  });
}

function problemOf(truth: readonly number[]): FitProblem {
  const observed = logWaits(truth);
  return {
    predict: logWaits,
    observed,
    family: new Uint8Array(observed.length),
    block: Int32Array.from(observed, (_, i) => i),
    families: 1,
    use: Array.from(observed, (_, i) => i),
    low: [-4, -2],
    high: [4, 4],
    floor: [0.01],
  };
}

test.each([[[0.3, -0.4]], [[-0.2, 0.5]], [[1.2, 1]]])(
  "exact observations of a bent prediction give back the truth %j, within the interval and a tenth of the prior's spread",
  (truth) => {
    const { z, covariance } = fitParameters(problemOf(truth));
    truth.forEach((value, i) => {
      expect(Math.abs(z[i]! - value)).toBeLessThan(0.1);
      expect(Math.abs(z[i]! - value)).toBeLessThan(2 * Math.sqrt(covariance[i]![i]!) + 0.01);
    });
  },
);

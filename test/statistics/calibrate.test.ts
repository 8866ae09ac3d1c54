/** The intervals of a calibration hold the truth as often as they say, over planted benchmarks that differ by their chance. */
import { expect, test } from "vitest";
import { calibrate } from "../../src/experiment/calibrate/calibrate.ts";
import { readBenchmark } from "../../src/experiment/calibrate/formats/read.ts";
import type { Constants } from "../../src/experiment/calibrate/parameters.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";
import { SYSTEM, WRITERS, plantedRequests } from "../fixtures/benchmarks.ts";

const RUNS = 24;
const near = (prior: Constants): Constants => ({
  mfu: prior["mfu"]! * 0.75,
  apiOverheadMs: prior["apiOverheadMs"]! + 8,
  tsMsPerSeq: prior["tsMsPerSeq"]! * 1.5,
});
/** A gateway in front, and weights that are read at little more than half of the speed expected. */
const far = (prior: Constants): Constants => ({ apiOverheadMs: prior["apiOverheadMs"]! + 60, ew: prior["ew"]! * 0.6 });

test.each([
  ["near the prior", near],
  ["far from it", far],
])(
  "planted %s: 144 intervals of 24 benchmarks hold the truth",
  async (_, planted) => {
    const { catalog } = await loadCatalog(["gpus", "llms", "engines", "coefficients"]);
    const catalogs = { catalog, shipped: catalog };
    let outside = 0;
    let squares = 0;
    let count = 0;
    for (let run = 0; run < RUNS; run++) {
      const load = {
        seed: `seed${run}`,
        requests: 160,
        ratePerS: [1, 12],
        inputTokens: [40, 4000],
        outputTokens: [30, 300],
      } as const;
      const text = WRITERS["request-csv"](plantedRequests(catalogs, load, planted));
      const { calibration, target } = calibrate(readBenchmark({ file: "planted.csv", text }, {}), SYSTEM, catalogs);
      const truth = { ...target.prior, ...planted(target.prior) };
      for (const { name, low, high, estimate, standardError } of calibration.parameters) {
        count++;
        if (truth[name]! < low || truth[name]! > high) outside++;
        squares += ((estimate - truth[name]!) / standardError) ** 2;
      }
      expect(calibration.heldOut!.medianAfter).toBeLessThan(calibration.heldOut!.medianBefore / 2);
    }
    // Nominal are 7 of 144; parameters of one run miss together, so that 18 (12.5 %) is where chance ends.
    expect(count).toBe(6 * RUNS);
    expect(outside).toBeLessThanOrEqual(18);
    // Neither too narrow nor so wide that they could not miss.
    expect(Math.sqrt(squares / count)).toBeGreaterThan(0.6);
    expect(Math.sqrt(squares / count)).toBeLessThan(1.4);
  },
  240_000,
);

/**
 * Decode steps of few sequences, against measured times of the kernels that a layer consists of. The set of H100 holds for H200, whose kernels
 * it has not seen.
 */
import { mean } from "simple-statistics";
import { describe, expect, test } from "vitest";
import type { LlmClass } from "../../src/engine/coefficients.ts";
import { type KernelPoint, kernelPoints } from "../fit/layer-kernels.ts";
import { catalog } from "../fixtures/experiment.ts";

function signedErrors(modelClass: LlmClass, gpu: string, fitSet: "calibration" | "all"): number[] {
  const set = catalog.coefficients
    .get(`${fitSet}-${modelClass}`)!
    .sets.find((one) => one.scope === "gpu+engine" && one.gpu === "h100-sxm" && one.engine === "vllm")!;
  const coefficients = { ...set.values, scope: "test" };
  const error = ({ computedMs, measuredMs }: KernelPoint): number => computedMs(coefficients) / measuredMs - 1;
  return kernelPoints(catalog, modelClass)
    .filter((point) => point.gpu === gpu)
    .map(error);
}

describe("layers of vLLM with one to four sequences, against the sum of their kernels", () => {
  test("the sum is that of the table: 48 layers of Qwen3-30B-A3B in BF16", () => {
    const [point] = kernelPoints(catalog, "moe").filter(({ name }) => name === "qwen3-30b-a3b bf16 1");
    expect(point!.measuredMs).toBeCloseTo((48 * (10.1 + 12.7 + 9.9 + 5.1 + 48.6 + 4 * 3)) / 1000, 9);
  });

  test.each([
    ["moe", "h100-sxm", "calibration", 15, 0.05, 0.1],
    ["moe", "h100-sxm", "all", 15, 0.05, 0.14],
    ["moe", "h200", "calibration", 15, 0.05, 0.12],
    ["moe", "h200", "all", 15, 0.05, 0.15],
    ["dense", "h100-sxm", "calibration", 18, 0.06, 0.1],
  ] as const)(
    "%s on %s, %s set: %i steps, within %d on average and %d each",
    (modelClass, gpu, fitSet, n, typical, worst) => {
      const absolute = signedErrors(modelClass, gpu, fitSet).map(Math.abs);
      expect(absolute).toHaveLength(n);
      expect(mean(absolute)).toBeLessThan(typical);
      expect(Math.max(...absolute)).toBeLessThan(worst);
    },
  );
});

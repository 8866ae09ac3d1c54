/**
 * Closed-loop TPOT of 526 clean MoE measurements that no set of fit set calibration has seen: MLA (DeepSeek, Kimi, GLM), windows (gpt-oss),
 * linear attention (Qwen3.5), FP8, NVFP4 and MXFP4 weights, through the same specs that a run is made of. The errors (median / mean absolute,
 * percent) are those of the fit; a change of either says that something of a model no longer reaches its step time.
 * Data: ai-dynamo/aiconfigurator @095f58a silicon_sample.csv (Apache-2.0).
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type CoefficientScope, chooseCoefficients } from "../../src/engine/coefficients.ts";
import type { WeightDtype } from "../../src/engine/spec.ts";
import { createStepTime } from "../../src/engine/step-time-physics.ts";
import { gpuSpec, llmSpec } from "../../src/experiment/resolve-pool.ts";
import { errorStatistics } from "../../src/experiment/validate/pool.ts";
import { closedLoopTpotS } from "../../src/experiment/validate/closed-loop.ts";
import { catalog } from "../fixtures/experiment.ts";

const [, ...lines] = readFileSync(new URL("../fixtures/aic-moe-validation.csv", import.meta.url), "utf8")
  .trim()
  .split("\n");
const rows = lines.map((line) => line.split(","));
const ORDER: readonly CoefficientScope[] = ["global", "engine", "gpu+engine", "gpu+engine+model+dtype"];

/** Predicted ÷ measured − 1 with the finest set of a scope no finer than `finest`. */
function errorOf(row: readonly string[], finest: CoefficientScope): number {
  const [gpuId = "", engine = "", model = "", dtype = "", ...numbers] = row;
  const [tensorParallelSize = 0, concurrency = 0, input = 0, output = 0, tpotMs = 0] = numbers.map(Number);
  const gpu = gpuSpec(catalog.gpus.get(gpuId)!);
  const llm = llmSpec(catalog.llms.get(model)!);
  const weightDtype = dtype as WeightDtype;
  const allowed = [...catalog.coefficients.values()].map((entry) => ({
    ...entry,
    sets: entry.sets.filter((set) => ORDER.indexOf(set.scope) <= ORDER.indexOf(finest)),
  }));
  const { fallbackScope } = catalog.engines.get(engine)!;
  const request = { gpu, llm, architecture: model, engine, weightDtype, tensorParallelSize, fallbackScope };
  const { coefficients } = chooseCoefficients(allowed, request, "calibration");
  // As in the fit: KV follows the weights, and gpt-oss keeps two bytes on Hopper.
  const wideKv = weightDtype === "bf16" || (weightDtype === "mxfp4" && ["h100-sxm", "h200"].includes(gpuId));
  const kvDtype = wideKv ? "bf16" : "fp8";
  const spec = { weightDtype, kvDtype, tensorParallelSize, maxNumSeqs: concurrency, tpreMsPerLayer: 0 } as const;
  const time = createStepTime(gpu, llm, spec, coefficients);
  const budgetTokens = engine === "sglang" ? 16_384 : 8192;
  return (closedLoopTpotS(time, concurrency, input, output, budgetTokens) * 1000) / tpotMs - 1;
}

describe("closed-loop TPOT of 526 unseen MoE measurements", () => {
  test.each([
    ["global", 12.2, 13.8],
    ["gpu+engine+model+dtype", 4.7, 7.9],
  ] as const)("up to scope %s: median %s, MAPE %s percent", (finest, median, mape) => {
    const { n, medianAbs, mape: mean } = errorStatistics(rows.map((row) => errorOf(row, finest)));
    expect(n).toBe(526);
    expect(Math.abs(medianAbs * 100 - median)).toBeLessThanOrEqual(0.3);
    expect(Math.abs(mean * 100 - mape)).toBeLessThanOrEqual(0.3);
  });

  test.each([
    ["deepseek-v3-r1", "gpu+engine+model+dtype", 52, 7],
    ["minimax-m2.5", "global", 84, 9],
  ] as const)("%s with the %s set: %i rows, median within %i percent", (model, scope, count, percent) => {
    const { n, medianAbs } = errorStatistics(rows.filter((row) => row[2] === model).map((row) => errorOf(row, scope)));
    expect(n).toBe(count);
    expect(medianAbs * 100).toBeLessThan(percent);
  });

  test("GLM-5 is a third too fast with the global set (known weak spot: the index of its sparse attention is not modelled)", () => {
    const errors = rows
      .filter((row) => row[2] === "glm-5")
      .map((row) => errorOf(row, "global"))
      .sort((a, b) => a - b);
    expect(errors[Math.floor(errors.length / 2)]).toBeLessThan(-0.25);
  });
});

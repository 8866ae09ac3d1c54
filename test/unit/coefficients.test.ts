/**
 * The choice of coefficients, and, with them, the errors that the closed-loop predictor is published to have: on the sets of the first fit, of
 * which the catalogue holds some and others no longer (DR-35).
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  type CoefficientRequest,
  type CoefficientScope,
  chooseCoefficients,
  outsideValidatedRange,
} from "../../src/engine/coefficients.ts";
import type { WeightDtype } from "../../src/engine/spec.ts";
import { createStepTime, stepTerms } from "../../src/engine/step-time-physics.ts";
import { errorStatistics } from "../../src/experiment/validate/pool.ts";
import { closedLoopTpotS } from "../../src/experiment/validate/closed-loop.ts";
import { CALIBRATION_SETS } from "../fixtures/calibration-sets.ts";
import { GPUS, LLMS } from "../fixtures/engine-specs.ts";

function request(
  change: Partial<CoefficientRequest> & { readonly gpuId?: string; readonly model?: string } = {},
): CoefficientRequest {
  const { gpuId = "h100-sxm", model = "llama-3.1-70b", ...rest } = change;
  return {
    gpu: GPUS[gpuId]!,
    llm: LLMS[model]!,
    architecture: model,
    engine: "vllm",
    weightDtype: "fp8",
    tensorParallelSize: 1,
    fallbackScope: { dense: "global", moe: "engine" },
    ...rest,
  };
}

const scopeOf = (one: CoefficientRequest): string =>
  chooseCoefficients(CALIBRATION_SETS, one, "calibration").coefficients.scope;

describe("which set", () => {
  test("the finest that fits, with the narrow band for it alone", () => {
    const exact = chooseCoefficients(CALIBRATION_SETS, request(), "calibration");
    expect(exact.coefficients.scope).toBe("dense|gpu+engine+model+dtype|h100-sxm|vllm|llama-3.1-70b|fp8");
    expect(exact.coefficients.ekv).toBe(0.38644);
    expect(exact.bandPercent.p95).toBe(11);
    const byGpu = chooseCoefficients(CALIBRATION_SETS, request({ weightDtype: "bf16" }), "calibration");
    expect(byGpu.coefficients.scope).toBe("dense|gpu+engine|h100-sxm|vllm");
    expect(byGpu.bandPercent.p95).toBe(26);
  });

  test("a model of the same architecture shares its sets", () => {
    const llm = { ...LLMS["llama-3.1-70b"]!, id: "llama-3.3-70b" };
    expect(scopeOf(request({ llm }))).toMatch(/llama-3\.1-70b/);
    expect(scopeOf(request({ llm, architecture: "llama-3.3-70b" }))).toBe("dense|gpu+engine|h100-sxm|vllm");
  });

  test("a GPU with the same chip shares its sets, and has its own first", () => {
    const gpu = { ...GPUS["h100-sxm"]!, id: "h100-nvl", memoryBandwidthGBps: 3900 };
    expect(scopeOf(request({ gpu }))).toBe("dense|global");
    const nvl = { ...gpu, sameChipAs: ["h100-sxm"] };
    expect(scopeOf(request({ gpu: nvl }))).toBe("dense|gpu+engine+model+dtype|h100-sxm|vllm|llama-3.1-70b|fp8");
    expect(outsideValidatedRange(CALIBRATION_SETS, request({ gpu }))).toMatch(/fitted on h100-nvl/);
    expect(outsideValidatedRange(CALIBRATION_SETS, request({ gpu: nvl }))).toMatch(
      /no dense model was fitted on h100-nvl itself, whose chip is that of h100-sxm\.$/,
    );
    const own = {
      scope: "gpu+engine",
      gpu: "h100-nvl",
      engine: "vllm",
      values: CALIBRATION_SETS[0]!.sets[0]!.values,
    } as const;
    const sets = CALIBRATION_SETS.map((entry) => ({ ...entry, sets: [...entry.sets, own] }));
    const chosen = (change: Parameters<typeof request>[0]): string =>
      chooseCoefficients(sets, request({ gpu: nvl, ...change }), "calibration").coefficients.scope;
    expect(chosen({ weightDtype: "bf16" })).toBe("dense|gpu+engine|h100-nvl|vllm");
    // What the model itself was measured to do, on the same chip, says more than other models on this GPU.
    expect(chosen({})).toBe("dense|gpu+engine+model+dtype|h100-sxm|vllm|llama-3.1-70b|fp8");
    const [first, second] = [
      ["h200", "h100-sxm"],
      ["h100-sxm", "h200"],
    ].map((sameChipAs) => chosen({ gpu: { ...gpu, sameChipAs } }));
    expect([first, second]).toEqual([
      "dense|gpu+engine+model+dtype|h200|vllm|llama-3.1-70b|fp8",
      "dense|gpu+engine+model+dtype|h100-sxm|vllm|llama-3.1-70b|fp8",
    ]);
  });

  test("sets of all GPUs compute as fast as the GPU was measured to, against H100 SXM; its own sets know already", () => {
    const mfu = (gpu: CoefficientRequest["gpu"]): number =>
      chooseCoefficients(CALIBRATION_SETS, request({ gpu }), "calibration").coefficients.mfu;
    const l40s = GPUS["l40s"]!;
    const faster = { ...l40s, matmulBf16Tflops: 0.9 * l40s.bf16DenseTflops };
    expect(mfu(faster) / mfu(l40s)).toBeCloseTo(0.9 / (792.1 / 989), 12);
    expect(mfu({ ...l40s, matmulBf16Tflops: 10 * l40s.bf16DenseTflops })).toBe(1);
    const h100 = GPUS["h100-sxm"]!;
    expect(mfu({ ...h100, matmulBf16Tflops: 500 })).toBe(mfu(h100));
  });

  test("on a GPU without a set, the engine profile decides between engine and global", () => {
    expect(scopeOf(request({ gpuId: "l40s" }))).toBe("dense|global");
    expect(scopeOf(request({ gpuId: "l40s", fallbackScope: { dense: "engine", moe: "engine" } }))).toBe(
      "dense|engine|vllm",
    );
    expect(scopeOf(request({ gpuId: "l40s", model: "qwen3-30b-a3b" }))).toBe("moe|engine|vllm");
    expect(scopeOf(request({ gpuId: "l40s", engine: "unknown" }))).toBe("dense|global");
  });

  test("a bridge joins two cards: more of them reduce over PCIe, as slow as cards without one", () => {
    const nvl = { ...GPUS["h100-sxm"]!, linkGBpsPerDirection: 300, linkedGpus: 2 };
    const pcie = { ...nvl, linkGBpsPerDirection: 64 };
    const commMs = (gpu: CoefficientRequest["gpu"], tensorParallelSize: number): number => {
      const { coefficients } = chooseCoefficients(
        CALIBRATION_SETS,
        request({ gpu, tensorParallelSize }),
        "calibration",
      );
      const engine = {
        weightDtype: "fp8",
        kvDtype: "fp8",
        tensorParallelSize,
        maxNumSeqs: 64,
        tpreMsPerLayer: 0,
      } as const;
      const batch = { decodeSeqs: 64, contextTokens: 64_000, prefillTokens: 0, attendedPairs: 0 };
      return stepTerms(gpu, LLMS["llama-3.1-70b"]!, engine, coefficients, batch).commMs;
    };
    expect(commMs(pcie, 2)).toBeGreaterThan(5 * commMs(nvl, 2));
    expect(commMs(nvl, 4)).toBe(commMs(pcie, 4));
    expect(scopeOf(request({ gpu: nvl, tensorParallelSize: 4 }))).toMatch(/PCIe all-reduce assumed$/);
    expect(scopeOf(request({ gpu: nvl, tensorParallelSize: 2, pipelineParallelSize: 2 }))).not.toMatch(/PCIe/);
  });

  test("a replica over several nodes says that their network counts as fast as the link within one, but in a rack of one link", () => {
    const reason = (gpuId: string, change: Partial<CoefficientRequest>): string =>
      outsideValidatedRange(CALIBRATION_SETS, request({ gpuId, ...change })) ?? "";
    expect(reason("h200", { tensorParallelSize: 8, pipelineParallelSize: 2 })).toContain(
      "16 GPUs of one replica are more",
    );
    expect(reason("h200", { tensorParallelSize: 8 })).not.toContain("GPUs of one replica");
    const rack = { ...GPUS["b200"]!, id: "gb200" };
    expect(reason("b200", { gpu: rack, tensorParallelSize: 8, pipelineParallelSize: 2 })).not.toContain(
      "of one replica",
    );
  });

  test("over PCIe, all-reduce is assumed, slower, named in the scope and without the narrow band", () => {
    const one = request({ gpuId: "l40s", tensorParallelSize: 4 });
    const { coefficients, bandPercent } = chooseCoefficients(CALIBRATION_SETS, one, "calibration");
    expect(coefficients).toMatchObject({ el: 0.44, arMs: 0.04, scope: "dense|global, PCIe all-reduce assumed" });
    expect(coefficients.ew).toBe(0.94118);
    expect(bandPercent.p95).toBe(26);
    expect(scopeOf(request({ gpuId: "l40s" }))).not.toMatch(/PCIe/);
  });

  test("a fit set that the catalogue lacks is not replaced by another", () => {
    expect(() => chooseCoefficients(CALIBRATION_SETS, request(), "all")).toThrow(RangeError);
  });
});

describe("the validated range", () => {
  const outside = (one: CoefficientRequest): string | null => outsideValidatedRange(CALIBRATION_SETS, one);

  test("what was measured is inside", () => {
    expect(outside(request())).toBeNull();
    expect(outside(request({ model: "llama-3.1-8b", weightDtype: "bf16", gpuId: "h200" }))).toBeNull();
  });

  test("every reason to doubt is named", () => {
    expect(outside(request({ gpuId: "a100-80gb-sxm" }))).toBe(
      "Outside the validated range: no dense model was fitted on a100-80gb-sxm; " +
        "a100-80gb-sxm has no FP8 units and the cost of unpacking fp8 weights is not modelled.",
    );
    expect(outside(request({ gpuId: "l40s", tensorParallelSize: 2 }))).toMatch(/l40s; all-reduce over PCIe/);
    expect(outside(request({ model: "qwen3-30b-a3b" }))).toMatch(/qwen3-30b-a3b was never fitted/);
    expect(outside(request({ engine: "other" }))).toMatch(/other was never fitted/);
  });
});

/**
 * Published errors (median / mean absolute, percent) of the fits on the 403 clean dense rows of validation groups, which no set
 * of fit set calibration has seen. Data: ai-dynamo/aiconfigurator @095f58a silicon_sample.csv (Apache-2.0).
 */
describe("closed-loop TPOT of 403 unseen dense measurements", () => {
  const rows = readFileSync(new URL("../fixtures/aic-dense-validation.csv", import.meta.url), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => {
      const [gpu = "", engine = "", model = "", weightDtype = "", tp, concurrency, input, output, tpotMs] =
        line.split(",");
      return {
        gpu,
        engine,
        model,
        weightDtype: weightDtype as WeightDtype,
        tp: Number(tp),
        concurrency: Number(concurrency),
        inputTokens: Number(input),
        outputTokens: Number(output),
        tpotMs: Number(tpotMs),
      };
    });
  type Row = (typeof rows)[number];

  /** Error with the finest set of a scope no finer than `finest`. */
  function errorOf(row: Row, finest: CoefficientScope): number {
    const order: readonly CoefficientScope[] = ["global", "engine", "gpu+engine", "gpu+engine+model+dtype"];
    const allowed = CALIBRATION_SETS.map((entry) => ({
      ...entry,
      sets: entry.sets.filter((set) => order.indexOf(set.scope) <= order.indexOf(finest)),
    }));
    const { coefficients } = chooseCoefficients(
      allowed,
      request({
        gpuId: row.gpu,
        model: row.model,
        engine: row.engine,
        weightDtype: row.weightDtype,
        tensorParallelSize: row.tp,
        fallbackScope: { dense: "engine", moe: "engine" },
      }),
      "calibration",
    );
    const engine = {
      weightDtype: row.weightDtype,
      kvDtype: row.weightDtype === "bf16" ? "bf16" : "fp8",
      tensorParallelSize: row.tp,
      maxNumSeqs: row.concurrency,
      tpreMsPerLayer: 0,
    } as const;
    const stepTime = createStepTime(GPUS[row.gpu]!, LLMS[row.model]!, engine, coefficients);
    const budgetTokens = row.engine === "sglang" ? 16_384 : 8192;
    const tpotS = closedLoopTpotS(stepTime, row.concurrency, row.inputTokens, row.outputTokens, budgetTokens);
    return (tpotS * 1000) / row.tpotMs - 1;
  }

  const CASES: readonly (readonly [CoefficientScope, string, number, number, number])[] = [
    ["global", "", 403, 9.4, 11.3],
    ["engine", "", 403, 7.1, 9.3],
    ["gpu+engine", "", 403, 6.4, 8.0],
    ["gpu+engine+model+dtype", "", 403, 4.5, 6.4],
    ["engine", "vllm", 180, 4.7, 6.7],
    ["engine", "trtllm", 166, 9.8, 10.6],
    ["engine", "sglang", 57, 11.3, 13.4],
  ];

  test.each(CASES)("up to scope %s %s: %i rows, median %f %%, MAPE %f %%", (finest, engine, n, median, mape) => {
    const errors = rows.filter((row) => engine === "" || row.engine === engine).map((row) => errorOf(row, finest));
    const statistics = errorStatistics(errors);
    expect(statistics.n).toBe(n);
    expect(Math.abs(statistics.medianAbs * 100 - median)).toBeLessThanOrEqual(0.1);
    expect(Math.abs(statistics.mape * 100 - mape)).toBeLessThanOrEqual(0.1);
  });
});

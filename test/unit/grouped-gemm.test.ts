/** The floor of a MoE layer, against times of whole kernels: the prior of the fits is of them, so this says that the rows do not pull it away. */
import { readFileSync } from "node:fs";
import { linearRegression, mean } from "simple-statistics";
import { describe, expect, test } from "vitest";
import type { WeightDtype } from "../../src/engine/spec.ts";
import { createStepTime } from "../../src/engine/step-time-physics.ts";
import { gpuSpec, llmSpec } from "../../src/experiment/resolve-pool.ts";
import { catalog } from "../fixtures/experiment.ts";

interface Kernel {
  readonly gpu: string;
  readonly bytesPerParam: number;
  readonly experts: number;
  readonly expertsPerToken: number;
  readonly hiddenSize: number;
  readonly expertWidth: number;
  readonly us: Readonly<Record<string, number>>;
}

const { kernels } = JSON.parse(
  readFileSync(new URL("../fixtures/fused-moe-kernels.json", import.meta.url), "utf8"),
) as { kernels: Kernel[] };

/** Floor in us of the straight line through the times over the bytes of the experts that so many tokens use. */
function floorUs({ bytesPerParam, experts, expertsPerToken, hiddenSize, expertWidth, us }: Kernel): number {
  const points = Object.entries(us).map(([tokens, time]) => {
    const used = experts * (1 - (1 - expertsPerToken / experts) ** Number(tokens));
    return [used * 3 * hiddenSize * expertWidth * bytesPerParam, time];
  });
  return linearRegression(points).b;
}

describe("what a grouped GEMM over all experts takes however few tokens there are", () => {
  test("vLLM on H100: the fitted floor stays near that of its kernels", () => {
    const gpu = "h100-sxm";
    const measured = mean(kernels.filter((kernel) => kernel.gpu === gpu).map(floorUs));
    const sets = catalog.coefficients.get("calibration-moe")!.sets;
    const set = sets.find((one) => one.scope === "gpu+engine" && one.gpu === gpu && one.engine === "vllm")!;
    const fittedUs = 1000 * set.values.groupedGemmMsPerLayer!;
    expect(Math.abs(fittedUs / measured - 1)).toBeLessThan(0.2);
  });

  test("it is paid by each MoE layer of BF16 and FP8 experts, and not by four-bit ones", () => {
    const gpu = gpuSpec(catalog.gpus.get("h100-sxm")!);
    const llm = llmSpec(catalog.llms.get("qwen3-30b-a3b")!);
    const k = { ...catalog.coefficients.get("all-moe")!.sets[0]!.values, scope: "test" };
    const paidS = (weightDtype: WeightDtype, decodeSeqs: number): number => {
      const engine = {
        weightDtype,
        kvDtype: "bf16",
        tensorParallelSize: 1,
        maxNumSeqs: 256,
        tpreMsPerLayer: 0,
      } as const;
      const [none, some] = [0, 0.03].map((groupedGemmMsPerLayer) =>
        createStepTime(gpu, llm, engine, { ...k, groupedGemmMsPerLayer }),
      );
      return some!.decodeBaseS[decodeSeqs]! - none!.decodeBaseS[decodeSeqs]!;
    };
    for (const dtype of ["bf16", "fp8", "fp8-block"] as const)
      for (const seqs of [1, 256]) expect(paidS(dtype, seqs)).toBeCloseTo(48 * 0.03e-3, 12);
    for (const dtype of ["mxfp4", "int4", "int8", "nvfp4"] as const) expect(paidS(dtype, 1)).toBe(0);
  });
});

/**
 * Two GPUs with the same chip: the one with the faster memory must not come out slower. Sets of one GPU and engine that rest on one model hold
 * what is particular to that model, and made H200 up to 1.4 times slower than H100 with another (DR-35).
 */
import { describe, expect, test } from "vitest";
import { chooseCoefficients } from "../../src/engine/coefficients.ts";
import { WEIGHT_DTYPES, type WeightDtype } from "../../src/engine/spec.ts";
import { createStepTime } from "../../src/engine/step-time-physics.ts";
import { gpuSpec, llmSpec } from "../../src/experiment/resolve-pool.ts";
import { catalog } from "../fixtures/experiment.ts";

const BATCHES = [1, 16, 64, 256];
const CONTEXTS = [500, 8000];
/** Each GPU has a set of that model, fitted apart to its TPOT, which hardly tells prefill: MiniMax in FP8 on B300 is the worst. */
const BOTH_FITTED = { decode: 1.04, prefill: 1.4 };
const NEVER_SLOWER = { decode: 1, prefill: 1 };

/** Times of the faster memory's GPU over those of the other: the worst decode step, and a step of four prompts. */
function ratios(slower: string, faster: string, model: string, engine: string, weightDtype: WeightDtype) {
  const llm = llmSpec(catalog.llms.get(model)!);
  const [one, other] = [slower, faster].map((id) => {
    const gpu = gpuSpec(catalog.gpus.get(id)!);
    const layout = { weightDtype, kvDtype: "bf16", tensorParallelSize: 8, maxNumSeqs: 256, tpreMsPerLayer: 0 } as const;
    const { fallbackScope } = catalog.engines.get(engine)!;
    const request = { gpu, llm, architecture: model, engine, weightDtype, tensorParallelSize: 8, fallbackScope };
    const { coefficients } = chooseCoefficients([...catalog.coefficients.values()], request, "all");
    const time = createStepTime(gpu, llm, layout, coefficients);
    return {
      own: coefficients.scope.includes(`|${id}|`),
      decode: BATCHES.flatMap((n) => CONTEXTS.map((c) => time.decodeBaseS[n]! + time.perContextTokenS * n * c)),
      prefillS: time.mixedS(0, 0, 8192, 8192 * 1024, 4),
    };
  });
  const decode = Math.max(...other!.decode.map((s, i) => s / one!.decode[i]!));
  const limits = one!.own && other!.own ? BOTH_FITTED : NEVER_SLOWER;
  return { decode, prefill: other!.prefillS / one!.prefillS, limits };
}

describe.each([
  ["h100-sxm", "h200"],
  ["b200", "b300"],
])("%s and %s", (slower, faster) => {
  test.each(["vllm", "sglang", "trtllm"])("%s: every model in every format", (engine) => {
    for (const model of catalog.llms.keys())
      for (const dtype of WEIGHT_DTYPES) {
        const { decode, prefill, limits } = ratios(slower, faster, model, engine, dtype);
        const which = `${model} ${dtype}`;
        expect(decode, which).toBeLessThanOrEqual(limits.decode * (1 + 1e-9));
        expect(prefill, which).toBeLessThanOrEqual(limits.prefill * (1 + 1e-9));
      }
  });
});

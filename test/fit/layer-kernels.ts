/** Sums of published kernel times of one layer, as points that a fit may be pulled towards. */
import { readFileSync } from "node:fs";
import type { Catalog } from "../../src/catalog/schema.ts";
import { type LlmClass, llmClass } from "../../src/engine/coefficients.ts";
import { headBytes } from "../../src/engine/model-bytes.ts";
import type { StepCoefficients, WeightDtype } from "../../src/engine/spec.ts";
import { createStepTime } from "../../src/engine/step-time-physics.ts";

interface Layer {
  readonly gpu: string;
  readonly llm: string;
  readonly weightDtype: WeightDtype;
  /** By number of sequences, then by kernel. */
  readonly us: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

interface LayerKernels {
  readonly engine: string;
  readonly contextTokens: number;
  readonly smallKernels: { readonly us: number };
  readonly layers: readonly Layer[];
}

const measured = JSON.parse(
  readFileSync(new URL("../fixtures/layer-kernels.json", import.meta.url), "utf8"),
) as LayerKernels;

/** Kernels of a layer that are not in the tables: two norms with the residual, rotary embedding, writing the new KV; of a dense layer the activation function. */
const SMALL_KERNELS = { moe: 4, dense: 5 } as const;

/** One decode step of all layers on one GPU, without the output head and without work of the host. */
export interface KernelPoint {
  readonly gpu: string;
  readonly engine: string;
  readonly name: string;
  readonly measuredMs: number;
  readonly computedMs: (coefficients: StepCoefficients) => number;
}

export function kernelPoints({ gpus, llms }: Pick<Catalog, "gpus" | "llms">, modelClass: LlmClass): KernelPoint[] {
  return measured.layers.flatMap(({ gpu: gpuId, llm: id, weightDtype, us }) => {
    const gpu = gpus.get(gpuId)!;
    const named = llms.get(id)!;
    if (llmClass(named) !== modelClass) return [];
    const llm = { ...named, moe: named.moe === null ? null : { ...named.moe, routingConcentration: 0 } };
    return Object.entries(us).map(([sequences, kernels]) => {
      const n = Number(sequences);
      const layerUs = Object.values(kernels).reduce(
        (sum, x) => sum + x,
        SMALL_KERNELS[modelClass] * measured.smallKernels.us,
      );
      return {
        gpu: gpuId,
        engine: measured.engine,
        name: `${id} ${weightDtype} ${n}`,
        measuredMs: (layerUs / 1000) * llm.layers,
        computedMs: (k) => {
          const engine = {
            weightDtype,
            kvDtype: "bf16",
            tensorParallelSize: 1,
            maxNumSeqs: n,
            tpreMsPerLayer: 0,
          } as const;
          const stepTime = createStepTime(gpu, llm, engine, k);
          const stepMs = 1000 * (stepTime.decodeBaseS[n]! + stepTime.perContextTokenS * n * measured.contextTokens);
          return stepMs - k.t0Ms - k.tsMsPerSeq * n - headBytes(llm) / (gpu.memoryBandwidthGBps * 1e6 * k.ew);
        },
      };
    });
  });
}

/** Cases that prefill on some replicas and decode on others: the two as cases of their own, and the way of the KV between them. */
import { sequenceBytes } from "../../engine/model-bytes.ts";
import { kvDivisor } from "../../engine/parallelism.ts";
import type { EngineSpec } from "../../engine/spec.ts";
import type { RecordedCase } from "./case.ts";
import type { Setup } from "./setup.ts";

/** Assumed, as in experiments: connection set-up and metadata of a KV connector. */
const TRANSFER_LATENCY_S = 0.001;

type Sides = NonNullable<RecordedCase["disaggregated"]>;

/** The replicas of one side under the engine options and the load of the whole case. */
export function sideCase(recorded: RecordedCase, { workers, ...layout }: Sides[keyof Sides]): RecordedCase {
  const { disaggregated: _both, ...rest } = recorded;
  const replicas = workers * recorded.replicas;
  return { ...rest, ...layout, replicas, gpus: replicas * gpusOf(layout) };
}

/** GPUs of all workers of both sides, once. */
export function gpusOfSides({ prefill, decode }: Sides): number {
  return prefill.workers * gpusOf(prefill) + decode.workers * gpusOf(decode);
}

function gpusOf({ tp, pp, dp }: Pick<RecordedCase, "tp" | "pp" | "dp">): number {
  return tp * Math.max(1, pp) * Math.max(1, dp);
}

/**
 * Seconds to hand a prompt over: its KV at the rate of the GPUs' links (assumed), each GPU of a tensor-parallel group sending
 * its share at once; the smaller of the two groups sets the pace.
 */
export function transferTimes(
  { llm, gpu }: Pick<Setup, "llm" | "gpu">,
  prefill: EngineSpec,
  decode: EngineSpec,
): { readonly sPerToken: number; readonly latencyS: number } {
  const links = Math.min(kvDivisor(llm, prefill.tensorParallelSize), kvDivisor(llm, decode.tensorParallelSize));
  const bytesPerS = links * gpu.linkGBpsPerDirection * 1e9;
  return { sPerToken: sequenceBytes(llm, prefill.kvDtype).perToken / bytesPerS, latencyS: TRANSFER_LATENCY_S };
}

export function transferCaveat({ gpu }: Pick<Setup, "gpu">): string {
  return `the KV is assumed to change sides at ${gpu.linkGBpsPerDirection} GB/s a GPU, after the first token: TTFT is without it, TPOT with it`;
}

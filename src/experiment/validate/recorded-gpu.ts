/** The GPU behind a recording, where other facts of the recording contradict the one that it names. */
import type { RecordedCase } from "./case.ts";

interface Correction {
  readonly sourcePrefix: string;
  readonly named: string;
  readonly gpu: string;
  readonly reason: string;
}

/**
 * pChitral/vllm-cost-meter: its hourly rate of 6.98 USD is that of Azure's NC40ads H100 v5, whose card is the H100 NVL (the rate of its
 * A100 rows, 3.67, is that of the NC24ads A100 v4); with Qwen3-30B in BF16, 450 prompts of 512 tokens were in the KV cache at once, which
 * 80 GB could not hold beside the weights; and no run drew more than 363 W, of the 700 of an SXM module and the 400 of an NVL card.
 */
const CORRECTIONS: readonly Correction[] = [
  {
    sourcePrefix: "pChitral/vllm-cost-meter",
    named: "h100-sxm",
    gpu: "h100-nvl",
    reason: "the form factor is not recorded; price, KV cache and power are those of an H100 NVL",
  },
];

/** Id of the GPU to predict with, and why it is not the one named; null = it is. */
export function recordedGpu({ source, gpu }: RecordedCase): { readonly gpu: string; readonly reason: string | null } {
  const found = CORRECTIONS.find(({ sourcePrefix, named }) => source.startsWith(sourcePrefix) && gpu === named);
  return found === undefined ? { gpu, reason: null } : { gpu: found.gpu, reason: found.reason };
}

/** What scheduling options do to the duration of a step. Both keep a decode step affine in context, so that leaping stays exact. */
import { pow } from "../kernel/math.ts";
import type { ResidualBandPercent } from "./coefficients.ts";
import type { SchedulerSpec } from "./scheduler-spec.ts";
import type { StepTime } from "./step-time.ts";

/**
 * Decode steps of `d` sequences cost as much as with the next captured size up; above the largest nothing is padded. Steps with
 * prefill run without a captured graph.
 */
function paddedTo(sizes: readonly number[], stepTime: StepTime): StepTime {
  const { decodeBaseS } = stepTime;
  const most = decodeBaseS.length - 1;
  const padded = decodeBaseS.map((own, d) => {
    const size = sizes.find((one) => one >= d);
    return size === undefined || d === 0 ? own : decodeBaseS[Math.min(size, most)]!;
  });
  return { ...stepTime, decodeBaseS: padded };
}

/** Tokens that a sequence gets a step on average: Σ over j ≤ draftTokens of acceptance^j (Leviathan et al. 2023). */
export function tokensPerStep(draftTokens: number, acceptance: number): number {
  return (1 - pow(acceptance, draftTokens + 1)) / (1 - acceptance);
}

/**
 * Decode steps check `draftTokens` drafts beside one token for each sequence, and drafting takes `draftCost` of a plain step for
 * each. The check costs what `checking` says: the weights are read once, the rest grows with the tokens.
 */
function withDrafts(
  { draftTokens, acceptance, draftCost, mode }: NonNullable<SchedulerSpec["speculative"]>,
  stepTime: StepTime,
  checking: StepTime,
): StepTime {
  const drafts = 1 + draftTokens * draftCost;
  const shorter = mode === "mean-field" ? tokensPerStep(draftTokens, acceptance) : 1;
  const { decodeBaseS: plain, perContextTokenS } = stepTime;
  const draftedS = plain.map((baseS, d) => checking.decodeBaseS[d]! + (drafts - 1) * baseS);
  // The mean-field mode gives one token in a step with prefill too. The others that such a step yields come in decode steps
  // after it, so it is that much shorter, and all of them together take as long as they do.
  const laterShare = 1 - 1 / shorter;
  return {
    decodeBaseS: draftedS.map((stepS) => stepS / shorter),
    perContextTokenS: (perContextTokenS * drafts) / shorter,
    mixedS: (decodes, context, prefill, pairs, prompts) => {
      if (decodes === 0) return stepTime.mixedS(0, context, prefill, pairs, prompts);
      const draftingS = (drafts - 1) * (plain[decodes]! + perContextTokenS * context);
      const laterS = laterShare * (draftedS[decodes]! + perContextTokenS * drafts * context);
      return checking.mixedS(decodes, context, prefill, pairs, prompts) + draftingS - laterS;
    },
  };
}

/** Ranks of the quantiles of a residual band. */
const BAND = [0.05, 0.25, 0.5, 0.75, 0.95] as const;

/**
 * True ÷ predicted duration at rank `u` of the errors of a coefficient set: linear between the five known quantiles of
 * predicted ÷ measured − 1, and beyond the outer ones as far again as the rank goes, with their slope.
 */
export function errorFactor({ p5, p25, p50, p75, p95 }: ResidualBandPercent, u: number): number {
  const values = [p5, p25, p50, p75, p95];
  let i = 0;
  while (i < BAND.length - 2 && u > BAND[i + 1]!) i++;
  const slope = (values[i + 1]! - values[i]!) / (BAND[i + 1]! - BAND[i]!);
  return 1 / (1 + (values[i]! + slope * (u - BAND[i]!)) / 100);
}

/** Every step lasts `factor` times as long. */
export function scaledStepTime(stepTime: StepTime, factor: number): StepTime {
  return {
    decodeBaseS: stepTime.decodeBaseS.map((baseS) => baseS * factor),
    perContextTokenS: stepTime.perContextTokenS * factor,
    mixedS: (decodes, context, prefill, pairs, prompts) =>
      stepTime.mixedS(decodes, context, prefill, pairs, prompts) * factor,
  };
}

/** The step time of a replica with its scheduling options; `create` gives that of so many tokens for each sequence that decodes. */
export function scheduledStepTime(
  create: (tokensPerDecode: number) => StepTime,
  { speculative, capturedBatchSizes }: SchedulerSpec,
): StepTime {
  const drafted =
    speculative === null ? create(1) : withDrafts(speculative, create(1), create(1 + speculative.draftTokens));
  return capturedBatchSizes === null ? drafted : paddedTo(capturedBatchSizes, drafted);
}

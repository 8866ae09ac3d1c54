/**
 * Input and output lengths of requests, in tokens: two marginals joined by a Gaussian copula, and the max_tokens that
 * the client would send. A pair is a function of two uniforms, whether they come from a stream or from a counter.
 */
import type { LengthDistribution, MaxOutputRule, ReplayTraffic, SyntheticTraffic } from "../scenario/resolved.ts";
import { InvariantError } from "../kernel/errors.ts";
import { exp, log, normalCdf, normalQuantile } from "../kernel/math.ts";
import { quantileAt, quantileTable, type QuantileTable } from "../kernel/samplers.ts";

/** One distribution, prepared. One shape for all kinds, so that the hot call sites stay monomorphic. */
interface Marginal {
  readonly table: QuantileTable | null;
  /** Lognormal in the absence of a table; a constant is one clamped to a point. */
  readonly lnMedian: number;
  readonly sigma: number;
  readonly minTokens: number;
  readonly maxTokens: number;
}

/** Draws pairs of lengths; the last pair stands in the fields. Throws InvariantError for |spearman| > 1. */
export class LengthSampler {
  inputTokens = 0;
  outputTokens = 0;
  maxOutputTokens = 0;
  private readonly input: Marginal;
  private readonly output: Marginal;
  private readonly rho: number;
  private readonly rest: number;
  private readonly maxOutput: MaxOutputRule;

  constructor(input: LengthDistribution, output: LengthDistribution, spearman: number, maxOutput: MaxOutputRule) {
    this.input = marginal(input);
    this.output = marginal(output);
    this.rho = gaussianRho(spearman);
    this.rest = Math.sqrt(1 - this.rho * this.rho);
    this.maxOutput = maxOutput;
  }

  /** Sets the fields from two independent uniforms in (0, 1). */
  draw(u: number, v: number): void {
    if (this.rho === 0) {
      this.inputTokens = tokensAtRank(this.input, u);
      this.outputTokens = tokensAtRank(this.output, v);
    } else {
      const z = normalQuantile(u);
      this.inputTokens = this.input.table === null ? tokensAtScore(this.input, z) : tokensAtRank(this.input, u);
      this.outputTokens = tokensAtScore(this.output, this.rho * z + this.rest * normalQuantile(v));
    }
    this.maxOutputTokens = maxOutputTokens(this.maxOutput, this.outputTokens);
  }
}

/** What a client sends as max_tokens for a request that will generate `outputTokens`; whole tokens, rounded up. */
export function maxOutputTokens(rule: MaxOutputRule, outputTokens: number): number {
  return Math.max(Math.ceil(rule.factor * outputTokens), rule.minTokens);
}

/** The max_tokens of a recorded request: as recorded, but never below its answer; else by the rule. */
export function askedTokens({ maxOutput, maxOutputTokens: asked, outputTokens }: ReplayTraffic, row: number): number {
  const recorded = asked?.[row] ?? 0;
  return recorded === 0 ? maxOutputTokens(maxOutput, outputTokens[row]!) : Math.max(recorded, outputTokens[row]!);
}

/** Correlation of the normals behind a rank correlation: 2 sin(π·spearman/6) (Pearson 1907). The series ends below 1e-17 of the sum. */
export function gaussianRho(spearman: number): number {
  if (!(spearman >= -1 && spearman <= 1)) throw new InvariantError("a rank correlation lies in [-1, 1]", { spearman });
  const x = spearman * 0.5235987755982988;
  const xx = x * x;
  const sine =
    x * (1 - (xx / 6) * (1 - (xx / 20) * (1 - (xx / 42) * (1 - (xx / 72) * (1 - (xx / 110) * (1 - xx / 156))))));
  return Math.max(-1, Math.min(1, 2 * sine));
}

function marginal(length: LengthDistribution): Marginal {
  switch (length.kind) {
    case "constant":
      return {
        table: null,
        lnMedian: log(length.tokens),
        sigma: 0,
        minTokens: length.tokens,
        maxTokens: length.tokens,
      };
    case "lognormal":
      return {
        table: null,
        lnMedian: log(length.medianTokens),
        sigma: length.sigma,
        minTokens: length.minTokens,
        maxTokens: length.maxTokens,
      };
    case "quantiles":
      return {
        table: quantileTable(length.percentiles, length.tokens, length.meanTokens),
        lnMedian: 0,
        sigma: 0,
        minTokens: 1,
        maxTokens: Infinity,
      };
  }
}

/** A law as its quantile function, in tokens before rounding, and its mean. */
export function quantileOf(length: LengthDistribution): {
  readonly tokensAt: (rank: number) => number;
  readonly meanTokens: number;
} {
  const law = marginal(length);
  if (length.kind === "quantiles")
    return { tokensAt: (rank) => quantileAt(law.table!, Math.min(rank, ALMOST_ONE)), meanTokens: length.meanTokens };
  const { minTokens, maxTokens, lnMedian, sigma } = law;
  const tokensAt = (rank: number): number => {
    if (rank <= 0 || rank >= 1) return rank <= 0 ? minTokens : maxTokens;
    return Math.max(minTokens, Math.min(maxTokens, exp(lnMedian + sigma * normalQuantile(rank))));
  };
  let sum = 0;
  for (let i = 0; i < MEAN_STEPS; i++) sum += tokensAt((i + 0.5) / MEAN_STEPS);
  return { tokensAt, meanTokens: sum / MEAN_STEPS };
}

/** Ranks of a table end before 1. */
const ALMOST_ONE = 1 - 1e-12;
const MEAN_STEPS = 4096;

function tokensAtRank(marginal: Marginal, u: number): number {
  if (marginal.table !== null) return clampedTokens(marginal, quantileAt(marginal.table, u));
  return marginal.minTokens === marginal.maxTokens ? marginal.minTokens : tokensAtScore(marginal, normalQuantile(u));
}

function tokensAtScore(marginal: Marginal, z: number): number {
  if (marginal.table !== null) return clampedTokens(marginal, quantileAt(marginal.table, normalCdf(z)));
  if (marginal.minTokens === marginal.maxTokens) return marginal.minTokens;
  return clampedTokens(marginal, exp(marginal.lnMedian + marginal.sigma * z));
}

function clampedTokens(marginal: Marginal, tokens: number): number {
  return Math.max(marginal.minTokens, Math.min(marginal.maxTokens, Math.floor(tokens + 0.5)));
}

/** The samplers of a traffic by class index; classes without lengths of their own share one. */
export function classLengthSamplers(spec: SyntheticTraffic, classes: number): LengthSampler[] {
  const { input, output, spearman, maxOutput, classLengths } = spec;
  const shared = new LengthSampler(input, output, spearman, maxOutput);
  return Array.from({ length: classes }, (_, c) => {
    const own = classLengths?.[c];
    return own === undefined ? shared : new LengthSampler(own.input, own.output, spearman, maxOutput);
  });
}

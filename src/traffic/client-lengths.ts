/**
 * Clients with lengths of their own. A length's normal score is √s·(the client's) + √(1 − s)·(the request's), where s is the share of
 * the variance between clients. Clients stand in a random order on the normal scale, each taking as much probability as its
 * share of the requests: lengths of all requests together then follow the common law exactly, whoever is large. Tokens.
 */
import type { ClientMix, LengthDistribution, SyntheticTraffic } from "../scenario/resolved.ts";
import { normalCdf, normalQuantile } from "../kernel/math.ts";
import { normal } from "../kernel/samplers.ts";
import { quantileOf } from "./lengths.ts";
import { trafficStream, type OpenTrafficOptions } from "./options.ts";

/** Order of the clients by prompts and by answers: measured correlations of their effects are 0.12 to 0.70. */
const ORDER_CORRELATION = 0.4;

/** Where a client's law is tabled. */
const PERCENTILES = [
  0, 0.1, 0.5, 1, 2.5, 5, 7.5, 10, 12.5, 15, 17.5, 20, 22.5, 25, 27.5, 30, 32.5, 35, 37.5, 40, 42.5, 45, 47.5, 50, 52.5,
  55, 57.5, 60, 62.5, 65, 67.5, 70, 72.5, 75, 77.5, 80, 82.5, 85, 87.5, 90, 91.25, 92.5, 93.75, 95, 96, 97, 97.5, 98,
  98.5, 99, 99.5, 99.9, 99.95, 99.99, 99.999, 100,
];
/** A wider client is that many narrow ones, each as likely. */
const NARROW = 0.02;
const MOST_PARTS = 32;

type Lengths = Pick<SyntheticTraffic, "input" | "output" | "classLengths">;

/** The lengths of each client, for shares of the requests that sum to 1; null where all are alike. */
export function clientLengths(
  spec: SyntheticTraffic,
  { lengthShare = 0 }: ClientMix,
  shares: Float64Array,
  options: OpenTrafficOptions,
): Lengths[] | null {
  if (lengthShare === 0) return null;
  const draw = trafficStream(options, "client-lengths");
  const first = shares.map(() => normal(draw));
  const rest = Math.sqrt(1 - ORDER_CORRELATION * ORDER_CORRELATION);
  const second = first.map((score) => ORDER_CORRELATION * score + rest * normal(draw));
  const inputs = scoresOf(first, shares, lengthShare);
  const outputs = scoresOf(second, shares, lengthShare);
  const input = tablesOf(spec.input, inputs, shares);
  const output = tablesOf(spec.output, outputs, shares);
  const classes = spec.classLengths?.map((own) => ({
    input: tablesOf(own.input, inputs, shares),
    output: tablesOf(own.output, outputs, shares),
  }));
  return Array.from(shares, (_, client) => ({
    input: input[client]!,
    output: output[client]!,
    ...(classes === undefined
      ? {}
      : { classLengths: classes.map((own) => ({ input: own.input[client]!, output: own.output[client]! })) }),
  }));
}

/** By client, the ranks in the common law that stand at `PERCENTILES` of its own. */
function scoresOf(order: Float64Array, shares: Float64Array, lengthShare: number): Float64Array[] {
  const ranked = Array.from(shares, (_, client) => client).sort((a, b) => order[a]! - order[b]! || a - b);
  const ranks: Float64Array[] = [];
  let from = 0;
  for (const client of ranked) {
    ranks[client] = ranksBetween(from, from + shares[client]!, lengthShare);
    from += shares[client]!;
  }
  return ranks;
}

function ranksBetween(from: number, to: number, lengthShare: number): Float64Array {
  const between = Math.sqrt(lengthShare);
  const within = Math.sqrt(1 - lengthShare);
  const parts = Math.min(MOST_PARTS, Math.max(1, Math.ceil((to - from) / NARROW)));
  const centres = Array.from(
    { length: parts },
    (_, i) => between * normalQuantile(Math.min(1 - 1e-9, Math.max(1e-9, from + ((i + 0.5) * (to - from)) / parts))),
  );
  return Float64Array.from(PERCENTILES, (percentile) => {
    if (percentile === 0 || percentile === 100) return percentile / 100;
    const p = percentile / 100;
    const score = within * normalQuantile(p);
    if (parts === 1) return normalCdf(centres[0]! + score);
    let low = centres[0]! + score;
    let high = centres[parts - 1]! + score;
    for (let i = 0; i < 30; i++) {
      const middle = 0.5 * (low + high);
      const below = centres.reduce((sum, centre) => sum + normalCdf((middle - centre) / within), 0) / parts;
      if (below < p) low = middle;
      else high = middle;
    }
    return normalCdf(0.5 * (low + high));
  });
}

/** The tables together have the mean of the common law, but where that would make the longest longer than its longest. */
function tablesOf(law: LengthDistribution, ranks: readonly Float64Array[], shares: Float64Array): LengthDistribution[] {
  if (law.kind === "constant") return ranks.map(() => law);
  const { tokensAt, meanTokens } = quantileOf(law);
  const tables = ranks.map((own) => Array.from(own, tokensAt));
  const means = tables.map(meanOf);
  const pooled = means.reduce((sum, mean, client) => sum + shares[client]! * mean, 0);
  const scale = Math.min(1, meanTokens / pooled);
  return tables.map((tokens, client) => ({
    kind: "quantiles",
    percentiles: PERCENTILES,
    tokens,
    meanTokens: means[client]! * scale,
  }));
}

function meanOf(tokens: readonly number[]): number {
  let mean = 0;
  for (let i = 0; i + 1 < tokens.length; i++)
    mean += ((PERCENTILES[i + 1]! - PERCENTILES[i]!) / 100) * 0.5 * (tokens[i]! + tokens[i + 1]!);
  return mean;
}

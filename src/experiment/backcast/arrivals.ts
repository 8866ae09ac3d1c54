/**
 * Requests that fill recorded buckets: as many as were counted, at independent uniform times inside each bucket (a Poisson
 * process given its count), with lengths of the workload's shape scaled to the bucket's tokens. Tokens and counts are thereby
 * given, not predicted; what a replay predicts is how long the answers took.
 */
import { DataError } from "../../kernel/errors.ts";
import { stream, type Draw } from "../../kernel/random.ts";
import { LengthSampler } from "../../traffic/lengths.ts";
import type { SyntheticTraffic } from "../../scenario/resolved.ts";
import type { UsageBucket } from "../../scenario/usage.ts";
import type { Recording } from "../../scenario/recorded-trace.ts";

export interface BucketArrivals extends Recording {
  /** Start of the first bucket, UTC seconds; times count from it. */
  readonly startEpochS: number;
  /** To the end of the last bucket. */
  readonly horizonS: number;
}

/** `shape` null: every request of a bucket has its mean lengths. Throws DataError for a bucket without a count of requests. */
export function arrivalsOf(
  file: string,
  buckets: readonly UsageBucket[],
  shape: Pick<SyntheticTraffic, "input" | "output" | "spearman" | "maxOutput"> | null,
  seed: string,
): BucketArrivals {
  const used = buckets.filter(({ inputTokens, outputTokens }) => inputTokens + outputTokens > 0);
  const startEpochS = Math.min(...used.map((bucket) => bucket.startEpochS));
  const horizonS = Math.max(...used.map((bucket) => bucket.endEpochS)) - startEpochS;
  const times = stream(seed, 0, "backcast/times");
  const lengths = stream(seed, 0, "backcast/lengths");
  const rows = used.flatMap((bucket) => {
    const { requests } = bucket;
    if (requests === null || requests < 1)
      throw new DataError(file, null, `a replay needs the number of requests, which ${bucket.model} has not`);
    const lengthS = bucket.endEpochS - bucket.startEpochS;
    const fromS = bucket.startEpochS - startEpochS;
    const input = new Float64Array(requests);
    const output = new Float64Array(requests);
    drawShape(shape, lengths, input, output);
    scaleTo(bucket.inputTokens, input);
    scaleTo(bucket.outputTokens, output);
    return Array.from(input, (inputTokens, i) => [fromS + times() * lengthS, inputTokens, output[i]!] as const);
  });
  rows.sort((a, b) => a[0] - b[0]);
  return {
    startEpochS,
    horizonS,
    arrivalS: Float64Array.from(rows, ([timeS]) => timeS),
    inputTokens: Uint32Array.from(rows, ([, tokens]) => tokens),
    outputTokens: Uint32Array.from(rows, ([, , tokens]) => tokens),
  };
}

function drawShape(
  shape: Pick<SyntheticTraffic, "input" | "output" | "spearman" | "maxOutput"> | null,
  draw: Draw,
  input: Float64Array,
  output: Float64Array,
): void {
  if (shape === null) {
    input.fill(1);
    output.fill(1);
    return;
  }
  const sampler = new LengthSampler(shape.input, shape.output, shape.spearman, shape.maxOutput);
  for (let i = 0; i < input.length; i++) {
    // Never exactly zero: quantile functions stay finite.
    sampler.draw(draw() + 1e-10, draw() + 1e-10);
    input[i] = sampler.inputTokens;
    output[i] = sampler.outputTokens;
  }
}

/** Whole tokens, at least one each, that add up to `total` (as long as that allows one each). */
function scaleTo(total: number, lengths: Float64Array): void {
  const sum = lengths.reduce((all, length) => all + length, 0);
  const spare = Math.max(0, total - lengths.length);
  let exact = 0;
  let given = 0;
  for (let i = 0; i < lengths.length; i++) {
    exact += (lengths[i]! / sum) * spare;
    const upTo = i === lengths.length - 1 ? spare : Math.round(exact);
    lengths[i] = 1 + upTo - given;
    given = upTo;
  }
}

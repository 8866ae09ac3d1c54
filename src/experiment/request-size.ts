/** How long requests get, in tokens of prompt and answer together, against what a target can hold. */
import { exp } from "../kernel/math.ts";
import type {
  ClassLengths,
  LengthDistribution,
  RequestClass,
  ResolvedTraffic,
  SessionSpec,
} from "../scenario/resolved.ts";
import { meanTurns } from "../traffic/sessions.ts";

export interface RequestSizes {
  readonly shortest: number;
  readonly median: number;
  readonly mean: number;
  readonly longest: number;
}

/** The median of classes with lengths of their own is that of the class in the middle of all requests. */
export function requestSizes(
  traffic: ResolvedTraffic,
  classes: readonly Pick<RequestClass, "shareFraction" | "reasoning">[],
): RequestSizes {
  const { shortest, median, mean, longest } = sizesWithoutThinking(traffic, classes);
  const added = classes.map(({ reasoning, shareFraction }) =>
    reasoning?.kind === "added"
      ? {
          median: shareFraction * reasoning.medianTokens,
          mean: shareFraction * logNormalMean(reasoning),
          longest: reasoning.sigma === 0 ? reasoning.medianTokens : reasoning.maxTokens,
        }
      : { median: 0, mean: 0, longest: 0 },
  );
  return {
    shortest,
    median: median + Math.round(added.reduce((sum, law) => sum + law.median, 0)),
    mean: mean + added.reduce((sum, law) => sum + law.mean, 0),
    longest: longest + Math.max(0, ...added.map((law) => law.longest)),
  };
}

function sizesWithoutThinking(
  traffic: ResolvedTraffic,
  classes: readonly Pick<RequestClass, "shareFraction">[],
): RequestSizes {
  if (traffic.kind === "replay") {
    const totals = Float64Array.from(traffic.inputTokens, (tokens, i) => tokens + traffic.outputTokens[i]!).sort();
    return {
      shortest: totals[0]!,
      median: totals[Math.floor(totals.length / 2)]!,
      mean: totals.reduce((sum, tokens) => sum + tokens, 0) / totals.length,
      longest: totals[totals.length - 1]!,
    };
  }
  const { classLengths, sessions } = traffic;
  if (classLengths === undefined) return sizesOf(traffic, sessions);
  const byMedian = classLengths
    .map((lengths, c) => ({ ...sizesOf(lengths, sessions), share: classes[c]!.shareFraction }))
    .sort((a, b) => a.median - b.median);
  let below = 0;
  const middle = byMedian.find(({ share }) => (below += share) >= 0.5) ?? byMedian.at(-1)!;
  return {
    shortest: Math.min(...byMedian.map(({ shortest }) => shortest)),
    median: middle.median,
    mean: byMedian.reduce((sum, { mean, share }) => sum + mean * share, 0),
    longest: Math.max(...byMedian.map(({ longest }) => longest)),
  };
}

function sizesOf(lengths: ClassLengths, sessions: SessionSpec | undefined): RequestSizes {
  const output = sizes(lengths.output);
  const input = sessions === undefined ? sizes(lengths.input) : prompts(lengths.input, output, sessions);
  return {
    shortest: input.shortest + output.shortest,
    median: input.median + output.median,
    mean: input.mean + output.mean,
    longest: input.longest + output.longest,
  };
}

/** Prompts of sessions; median and mean are those of a turn as late as the mean one. */
function prompts(first: LengthDistribution, answer: RequestSizes, sessions: SessionSpec): RequestSizes {
  const input = sizes(first);
  const added = sizes(sessions.newInput);
  const { carryContext, maxContextTokens, subAgents } = sessions;
  const cut = (tokens: number): number => Math.min(tokens, maxContextTokens);
  const turns = sessions.turnShares.length;
  if (!carryContext)
    return {
      shortest: cut(Math.min(input.shortest, turns > 1 ? added.shortest : Infinity)),
      median: cut(input.median),
      mean: cut(input.mean),
      longest: cut(Math.max(input.longest, turns > 1 ? added.longest : 0)),
    };
  const before = (meanTurns(sessions) - 1) / 2;
  const called = subAgents === undefined ? null : sizes(subAgents.input);
  const grown = (first: number, more: number): number => first + more * (answer.longest + added.longest);
  return {
    shortest: cut(Math.min(input.shortest, called?.shortest ?? Infinity)),
    median: cut(Math.round(input.median + before * (answer.median + added.median))),
    mean: cut(input.mean + before * (answer.mean + added.mean)),
    longest: cut(
      Math.max(grown(input.longest, turns - 1), called === null ? 0 : grown(called.longest, subAgents!.calls - 1)),
    ),
  };
}

function sizes(length: LengthDistribution): RequestSizes {
  switch (length.kind) {
    case "constant":
      return { shortest: length.tokens, median: length.tokens, mean: length.tokens, longest: length.tokens };
    case "lognormal":
      return length.sigma === 0
        ? {
            shortest: length.medianTokens,
            median: length.medianTokens,
            mean: length.medianTokens,
            longest: length.medianTokens,
          }
        : {
            shortest: length.minTokens,
            median: length.medianTokens,
            mean: logNormalMean(length),
            longest: length.maxTokens,
          };
    case "quantiles": {
      const { percentiles, tokens } = length;
      let mean = 0;
      let median = 0;
      for (let i = 0; i + 1 < tokens.length; i++) {
        const width = percentiles[i + 1]! - percentiles[i]!;
        mean += (width / 100) * 0.5 * (tokens[i]! + tokens[i + 1]!);
        if (percentiles[i]! <= 50 && percentiles[i + 1]! >= 50) {
          median = tokens[i]! + ((50 - percentiles[i]!) / width) * (tokens[i + 1]! - tokens[i]!);
        }
      }
      // The generator scales the table to the recorded mean; so do the figures here.
      const scale = length.meanTokens / mean;
      const of = (value: number): number => Math.max(1, Math.round(value * scale));
      return { shortest: of(tokens[0]!), median: of(median), mean: length.meanTokens, longest: of(tokens.at(-1)!) };
    }
  }
}

/** Without what the bounds cut off, but within them. */
function logNormalMean({
  medianTokens,
  sigma,
  maxTokens,
}: {
  readonly medianTokens: number;
  readonly sigma: number;
  readonly maxTokens: number;
}): number {
  return Math.min(maxTokens, medianTokens * exp((sigma * sigma) / 2));
}

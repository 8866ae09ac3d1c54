/**
 * What is fitted to a user's benchmark: few constants, each with the catalogue's value as its prior. The table may grow; the
 * fit, the report and the files written follow it.
 */
import { exp } from "../../kernel/math.ts";

export interface FittedParameter {
  /** As in the catalogue. */
  readonly name: string;
  /** Engine profile or coefficient set. */
  readonly home: "profile" | "set";
  readonly label: string;
  readonly unit: string;
  /** `log`: the prior is lognormal around the catalogue's value. */
  readonly scale: "log" | "linear";
  /** Of the logarithm, or in the unit. Assumed, from how far the shipped sets and profiles lie apart. */
  readonly priorSd: number;
  readonly min: number;
  readonly max: number;
  /** The kind of run whose latencies depend on it. */
  readonly identifiedBy: string;
}

/** Posterior ÷ prior standard deviation below which runs tell a value. */
export const IDENTIFIED = 0.5;

/** Values of the parameters by name. */
export type Constants = Readonly<Record<string, number>>;

export const PARAMETERS: readonly FittedParameter[] = [
  {
    name: "apiOverheadMs",
    home: "profile",
    label: "API server and tokenizer",
    unit: "ms",
    scale: "log",
    priorSd: 0.6,
    min: 0,
    max: 1000,
    identifiedBy: "a low rate with short prompts, where TTFT has no queue in it",
  },
  {
    name: "tpreMsPerLayer",
    home: "profile",
    label: "extra of a step with prefill",
    unit: "ms/layer",
    scale: "linear",
    priorSd: 0.2,
    min: 0,
    max: 5,
    identifiedBy: "a steady rate of short prompts, which interrupt the decoding of others",
  },
  {
    name: "mfu",
    home: "set",
    label: "share of peak FLOPs",
    unit: "",
    scale: "log",
    priorSd: 0.25,
    min: 0.01,
    max: 1,
    identifiedBy: "prompts of 2,000 tokens and more at a low rate, or a burst of them",
  },
  {
    name: "ew",
    home: "set",
    label: "share of memory bandwidth, weights",
    unit: "",
    scale: "log",
    priorSd: 0.1,
    min: 0.01,
    max: 1,
    identifiedBy: "one request at a time (concurrency 1) with long answers",
  },
  {
    name: "ekv",
    home: "set",
    label: "share of memory bandwidth, KV cache",
    unit: "",
    scale: "log",
    priorSd: 0.3,
    min: 0.01,
    max: 1,
    identifiedBy: "long contexts at high concurrency",
  },
  {
    name: "tsMsPerSeq",
    home: "set",
    label: "cost of a sequence in a step",
    unit: "ms",
    scale: "log",
    priorSd: 0.6,
    min: 0,
    max: 10,
    identifiedBy: "several concurrencies, from 1 to 64 and more, with short contexts",
  },
];

/** Parameters that can move from this prior: a scale of logarithms has none to move from at zero. */
export function movable(prior: Constants): readonly FittedParameter[] {
  return PARAMETERS.filter(({ name, scale }) => prior[name] !== undefined && (scale === "linear" || prior[name] > 0));
}

/** The value `z` prior standard deviations from the prior. */
export function valueAt(parameter: FittedParameter, prior: Constants, z: number): number {
  const at = prior[parameter.name]!;
  const value = parameter.scale === "log" ? at * exp(parameter.priorSd * z) : at + parameter.priorSd * z;
  return Math.min(parameter.max, Math.max(parameter.min, value));
}

/** All constants, with the parameters moved by `z`. */
export function constantsAt(parameters: readonly FittedParameter[], prior: Constants, z: readonly number[]): Constants {
  return { ...prior, ...Object.fromEntries(parameters.map((one, i) => [one.name, valueAt(one, prior, z[i]!)])) };
}

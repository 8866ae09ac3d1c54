/** What a policy may know of a request before it runs. Tokens and seconds of simulated time. */
import { exp, normalQuantile } from "../kernel/math.ts";
import { threefry2x32, unit, words } from "../kernel/random.ts";
import type { RequestFacts } from "./policies/policy.ts";
import type { RequestTable } from "./request-table.ts";

/** What a class of requests tells the scheduler. */
export interface ClassTraits {
  /** Lower is more urgent. */
  readonly priority: number;
  /** Target of the first token after arrival; null = none. */
  readonly ttftS: number | null;
}

/** Second key word of the draws of prediction errors. */
const PREDICTION_KEY = 0x5052;

export class TableFacts implements RequestFacts {
  protected readonly table: RequestTable;
  private readonly classes: readonly ClassTraits[];
  private readonly luckKey: number;

  constructor(table: RequestTable, classes: readonly ClassTraits[], luckKey: number) {
    this.table = table;
    this.classes = classes;
    this.luckKey = luckKey;
  }

  inputTokens(request: number): number {
    return this.table.inputTokens[request];
  }

  maxOutputTokens(request: number): number {
    return this.table.maxOutputTokens[request];
  }

  arrivedS(request: number): number {
    return this.table.attemptS[request];
  }

  priority(request: number): number {
    return this.classes[this.table.classIndex[request]].priority;
  }

  deadlineS(request: number): number {
    return this.arrivedS(request) + (this.classes[this.table.classIndex[request]].ttftS ?? Infinity);
  }

  tenant(request: number): number {
    return this.table.classIndex[request];
  }

  predictedOutputTokens(request: number, sigma: number): number {
    return predictedTokens(this.luckKey, this.table.ordinal[request], this.table.outputTokens[request], sigma);
  }
}

/** `actual` with a log-normal error that depends on the request's ordinal alone. */
export function predictedTokens(luckKey: number, ordinal: number, actual: number, sigma: number): number {
  if (sigma === 0) return actual;
  threefry2x32(luckKey, PREDICTION_KEY, ordinal, 0);
  return actual * exp(sigma * normalQuantile(unit(words[0]!)));
}

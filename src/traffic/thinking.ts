/**
 * Traffic whose answers begin with thinking that the user does not see: tokens on top of the answer (lognormal), or a share of
 * the output that the source counts already. How much is the luck of the request alone, so that strategies agree. Tokens.
 */
import type { KnownText, MaxOutputRule, ReasoningLaw } from "../scenario/resolved.ts";
import { exp, log, normalQuantile } from "../kernel/math.ts";
import { counterKey, threefry2x32, unit, words } from "../kernel/random.ts";
import { ReasoningPart } from "./reasoning.ts";
import type { Traffic } from "./traffic.ts";

/** Thinking tokens of an answer, by a uniform number in (0, 1). */
type Thinking = (u: number, outputTokens: number) => number;

export class ThinkingTraffic implements Traffic {
  timeS = 0.5;
  inputTokens = 0;
  outputTokens = 0;
  maxOutputTokens = 0;
  classIndex = 0;
  request = 0.5;
  reasoningTokens = 0;
  readonly known?: KnownText;
  private readonly inner: Traffic;
  private readonly rule: MaxOutputRule;
  private readonly key: number;
  private readonly added: readonly (Thinking | null)[];
  private readonly within: readonly (Thinking | null)[];
  /** Prompt tokens of requests under way that think: what follows is in no later prompt of their session. */
  private readonly promptOf = new Map<number, number>();

  /** `laws` by class. */
  constructor(
    inner: Traffic,
    laws: readonly (ReasoningLaw | undefined)[],
    rule: MaxOutputRule,
    { seed, replication }: { readonly seed: string; readonly replication: number },
  ) {
    this.inner = inner;
    this.rule = rule;
    this.key = counterKey(seed, replication, "traffic/thinking");
    this.added = laws.map((law) => (law?.kind === "added" ? addedBy(law) : null));
    this.within = laws.map((law) => (law?.kind === "share" ? withinOutput(law) : null));
    const { known } = inner;
    if (known !== undefined) {
      this.known = {
        session: (ordinal) => known.session(ordinal),
        // Thinking, and what follows it, is no part of the session's text.
        oneText: false,
        text: (ordinal, endToken) =>
          endToken > (this.promptOf.get(ordinal) ?? Infinity) ? -1 : known.text(ordinal, endToken),
      };
    }
    this.show();
  }

  advance(): void {
    if (this.known !== undefined && this.reasoningTokens > 0) this.promptOf.set(this.request, this.inputTokens);
    this.inner.advance();
    this.show();
  }

  onComplete(request: number, timeS: number): void {
    this.promptOf.delete(request);
    this.inner.onComplete(request, timeS);
    this.show();
  }

  /** The inner source's next arrival, with its thinking. */
  private show(): void {
    const { inner } = this;
    this.timeS = inner.timeS;
    if (!(inner.timeS < Infinity)) return;
    const { classIndex, request, outputTokens, maxOutputTokens } = inner;
    this.classIndex = classIndex;
    this.request = request;
    this.inputTokens = inner.inputTokens;
    threefry2x32(this.key, 0, request, 0);
    const u = unit(words[0]!);
    const added = this.added[classIndex]?.(u, outputTokens) ?? 0;
    this.outputTokens = outputTokens + added;
    this.maxOutputTokens =
      added === 0 ? maxOutputTokens : Math.max(maxOutputTokens, Math.ceil(this.rule.factor * this.outputTokens));
    this.reasoningTokens = added + (this.within[classIndex]?.(u, outputTokens) ?? 0);
  }
}

function addedBy({ medianTokens, sigma, maxTokens }: Extract<ReasoningLaw, { kind: "added" }>): Thinking {
  const lnMedian = log(medianTokens);
  return (u) => Math.min(maxTokens, Math.round(exp(lnMedian + sigma * normalQuantile(u))));
}

/** At least one token is left to be seen. */
function withinOutput(law: Extract<ReasoningLaw, { kind: "share" }>): Thinking {
  let luck = 0.5;
  const part = new ReasoningPart(law, () => luck);
  return (u, outputTokens) => {
    luck = u;
    return Math.max(0, Math.min(outputTokens - 1, part.of(outputTokens)));
  };
}

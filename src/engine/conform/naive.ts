/**
 * Walks a conformance scenario step by step and sequence by sequence: the oracle that a policy under the real replica is
 * compared with. It also counts what each step took, and says which rule was broken. Seconds, tokens.
 */
import type { BatchingPolicy } from "../policies/policy.ts";
import { batchingNamed, orderNamed, withDefaults } from "../policies/registry.ts";
import { MOST_BOUNDARIES } from "./drive.ts";
import { NaiveStep, type Sequence } from "./naive-step.ts";
import { type Fate, type Outcome, outsideEvents } from "./outcome.ts";
import type { ConformScenario } from "./scenario.ts";

export interface NaiveOutcome extends Outcome {
  /** Rules broken, in words; empty when all held. */
  readonly broken: readonly string[];
  /** Most steps in a row in which a decoding sequence of the batch got no token. */
  readonly longestStall: number;
  readonly exactPredictions: number;
  readonly chunkedPrompts: number;
  readonly holds: number;
}

export function walkNaively(scenario: ConformScenario): NaiveOutcome {
  return new NaiveReplica(scenario).run();
}

class NaiveReplica {
  private readonly scenario: ConformScenario;
  private readonly policy: BatchingPolicy;
  private readonly step: NaiveStep;
  private readonly fates: (Fate | undefined)[];
  private readonly broken: string[] = [];
  private readonly stalls = new Map<number, number>();
  private stepEndS = Infinity;
  /** Until when the policy holds, when no step is under way. */
  private heldUntilS = Infinity;
  private steps = 0;
  private longestStall = 0;
  private chunkedPrompts = 0;
  private holds = 0;

  constructor(scenario: ConformScenario) {
    const { batching, order } = scenario.scheduler;
    const plugin = batchingNamed(batching.name)!;
    const orderPlugin = orderNamed(order.name)!;
    this.scenario = scenario;
    this.policy = plugin.create(withDefaults(plugin.options, batching.options));
    this.step = new NaiveStep(scenario, orderPlugin, withDefaults(orderPlugin.options, order.options));
    this.fates = scenario.requests.map(() => undefined);
  }

  run(): NaiveOutcome {
    const events = outsideEvents(this.scenario);
    let next = 0;
    let boundaries = 0;
    for (; boundaries < MOST_BOUNDARIES; boundaries++) {
      const outsideS = next < events.length ? events[next].timeS : Infinity;
      const nowS = Math.min(outsideS, this.stepEndS, this.heldUntilS);
      if (nowS === Infinity) break;
      let decides = this.stepEndS === nowS || this.heldUntilS === nowS;
      if (this.stepEndS === nowS) this.endStep(nowS);
      for (; next < events.length && events[next].timeS === nowS; next++) {
        const { request, cancels } = events[next];
        const underWay = this.stepEndS < Infinity;
        const acted = cancels ? this.cancel(request, nowS, underWay) : this.arrive(request);
        if (acted && !underWay) decides = true;
      }
      if (decides && this.stepEndS === Infinity) this.form(nowS);
      if (this.broken.length > 0) break;
    }
    if (boundaries === MOST_BOUNDARIES) this.broken.push(`the work does not end in ${MOST_BOUNDARIES} steps`);
    if (this.broken.length === 0) this.checkEnds();
    const { preemptions, exactPredictions } = this.step;
    return {
      fates: this.fates,
      steps: this.steps,
      boundaries,
      preemptions,
      broken: this.broken,
      longestStall: this.longestStall,
      exactPredictions,
      chunkedPrompts: this.chunkedPrompts,
      holds: this.holds,
    };
  }

  private arrive(index: number): boolean {
    this.step.join(index);
    return true;
  }

  /** True when it left at once. */
  private cancel(index: number, nowS: number, underWay: boolean): boolean {
    const { step } = this;
    const waits = step.waiting.find((one) => one.index === index);
    if (waits !== undefined) {
      step.giveUp(waits);
      this.close(waits, "cancelled", nowS);
      return this.heldUntilS < Infinity;
    }
    const runs = step.running.find((one) => one.index === index);
    if (runs === undefined) return false;
    runs.cancelled = true;
    if (underWay) return false;
    this.dropCancelled(nowS);
    return true;
  }

  private dropCancelled(nowS: number): void {
    for (const one of this.step.running.filter(({ cancelled }) => cancelled)) {
      this.step.leaveBatch(one);
      this.close(one, "cancelled", nowS);
    }
  }

  private close(one: Sequence, kind: Fate["kind"], endS: number): void {
    if (this.fates[one.index] !== undefined) this.broken.push(`request ${one.index} ended twice`);
    this.fates[one.index] = { kind, endS, firstTokenS: one.firstTokenS };
    this.stalls.delete(one.index);
  }

  private endStep(nowS: number): void {
    this.stepEndS = Infinity;
    this.steps++;
    const { step } = this;
    for (const one of step.running) {
      if (one.cancelled) continue;
      if (one.chunk > 0) {
        one.computed += one.chunk;
        if (one.computed < one.context) continue;
        one.decoding = true;
      } else if (!one.decodes) continue;
      one.generated++;
      step.chargeToken(one);
      if (one.generated === 1) one.firstTokenS = nowS;
    }
    this.dropCancelled(nowS);
    for (const one of step.running.filter(({ generated, outputTokens }) => generated === outputTokens)) {
      step.leaveBatch(one);
      this.close(one, "completed", nowS);
    }
  }

  private form(nowS: number): void {
    const { step, scenario } = this;
    const { stepTime, spec } = scenario;
    step.open(nowS);
    this.heldUntilS = Infinity;
    this.policy.schedule(step);
    this.checkStep(nowS);
    const decoders = step.running.filter(({ decodes }) => decodes);
    const prefills = step.running.filter(({ chunk }) => chunk > 0);
    if (decoders.length + prefills.length === 0) {
      if (step.wakeS > nowS && step.wakeS < Infinity) {
        this.heldUntilS = step.wakeS;
        this.holds++;
      } else if (step.waiting.length + step.running.length > 0)
        this.broken.push(
          `at ${nowS} s nothing is scheduled, with ${step.waiting.length} waiting and ${step.running.length} running, and no later time to wake at is named`,
        );
      return;
    }
    const contextTokens = decoders.reduce((sum, { inputTokens, generated }) => sum + inputTokens + generated, 0);
    const prefillTokens = prefills.reduce((sum, { chunk }) => sum + chunk, 0);
    const pairs = prefills.reduce((sum, { chunk, computed }) => sum + chunk * (computed + chunk / 2), 0);
    const priced = Math.min(spec.maxNumSeqs, Math.max(step.seats, decoders.length));
    const lengthS =
      prefillTokens > 0
        ? stepTime.mixedS(priced, contextTokens, prefillTokens, pairs, prefills.length)
        : stepTime.decodeBaseS[priced] + stepTime.perContextTokenS * contextTokens;
    this.stepEndS = nowS + lengthS + step.transferS;
    this.chunkedPrompts += prefills.filter(({ chunk, context }) => chunk < context).length;
    for (const one of step.running) {
      const stall = one.decoding && !one.decodes ? (this.stalls.get(one.index) ?? 0) + 1 : 0;
      this.stalls.set(one.index, stall);
      this.longestStall = Math.max(this.longestStall, stall);
    }
  }

  private checkStep(nowS: number): void {
    const { step, broken } = this;
    const { maxNumSeqs, maxNumBatchedTokens, kvBlocks } = this.scenario.spec;
    const taken = step.tokensTaken();
    if (taken > maxNumBatchedTokens)
      broken.push(
        `the step at ${nowS} s takes ${taken} of ${maxNumBatchedTokens} tokens: decodeAll does not look at the budget, so call it before prefill and admit`,
      );
    if (step.running.length > maxNumSeqs) broken.push(`${step.running.length} of ${maxNumSeqs} seats at ${nowS} s`);
    if (step.freeBlocks < 0) broken.push(`${kvBlocks - step.freeBlocks} of ${kvBlocks} blocks at ${nowS} s`);
    if (kvBlocks - step.freeBlocks !== step.blocksOwed())
      broken.push(`${kvBlocks - step.freeBlocks} blocks are held at ${nowS} s for what needs ${step.blocksOwed()}`);
    const ids = [...step.running, ...step.waiting].map(({ index }) => index);
    if (new Set(ids).size !== ids.length) broken.push(`a request waits and runs at once at ${nowS} s`);
  }

  private checkEnds(): void {
    this.scenario.requests.forEach(({ arrivalS }, index) => {
      const fate = this.fates[index];
      if (fate === undefined) this.broken.push(`request ${index} never ends`);
      else if (fate.endS < arrivalS || fate.firstTokenS > fate.endS || fate.firstTokenS <= arrivalS)
        this.broken.push(
          `request ${index} arrives at ${arrivalS} s, has its first token at ${fate.firstTokenS} s and ends at ${fate.endS} s`,
        );
    });
  }
}

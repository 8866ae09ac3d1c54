/**
 * The oracle of the engine: one replica, walked step by step and sequence by sequence with nothing clever in it. Written
 * from the rules of a step boundary alone, never from the engine's code; O(batch) per step on purpose. Seconds, tokens.
 */
import { integralsAt, type Step } from "./naive-steps.ts";
import {
  ARRIVAL,
  BOOK,
  CANCEL,
  FAILURE,
  outsideEvents,
  type Fate,
  type Integrals,
  type ReplicaOutcome,
  type Scenario,
} from "./scenario.ts";

interface Sequence {
  readonly index: number;
  readonly input: number;
  readonly output: number;
  generated: number;
  /** Context to be prefilled before it decodes (again), and how much of it has its KV. */
  toPrefill: number;
  prefilled: number;
  blocks: number;
  /** In the step under way. */
  chunk: number;
  decoding: boolean;
  cancelled: boolean;
  firstTokenS: number;
  lastTokenS: number;
}

/** How often a scenario came to what it is there to test. */
export interface Reached {
  /** A decode's next block did not fit. */
  preemptedForDecode: number;
  /** A partial prefill's chunk did not fit. */
  preemptedForPrefill: number;
  /** … and the victim was a decoding sequence. */
  decodePreemptedForPrefill: number;
  /** An admission stopped because its blocks did not fit. */
  admissionBlocked: number;
  /** A prompt in more than one chunk, and one cut by the threshold. */
  chunked: number;
  thresholdCut: number;
  /** Cancelled while waiting, in the batch, and in the batch with its prompt incomplete. */
  cancelledWaiting: number;
  cancelledRunning: number;
  cancelledPrefilling: number;
  /** A cancellation or arrival at the very instant at which a step ended. */
  tiedWithStepEnd: number;
  lost: number;
  /** Idle with more to come. */
  idleGaps: number;
  /** Preempted with tokens out, so that more than its prompt is prefilled again. */
  recomputed: number;
}

export interface NaiveOutcome extends ReplicaOutcome {
  /** Every gap between two tokens of a request that its client heard, in no order, by class. */
  readonly gapsS: readonly (readonly number[])[];
  /** How many of them ended at the very instant at which the client gave up: whether it heard that token is a tie. */
  readonly tiedGaps: readonly number[];
}

/** Walks the scenario to its end: until nothing is left to come, waiting or running. */
export function stepThrough(scenario: Scenario): NaiveOutcome & { readonly reached: Reached } {
  return new NaiveReplica(scenario).run();
}

class NaiveReplica {
  private readonly scenario: Scenario;
  private waiting: Sequence[] = [];
  /** In order of admission. */
  private running: Sequence[] = [];
  private step: Step | null = null;
  private readonly ended: Step[] = [];
  private readonly fates: (Fate | undefined)[] = [];
  private readonly gapsS: number[] = [];
  private tiedGaps = 0;
  private preemptions = 0;
  private prefillTokens = 0;
  private steps = 0;
  private readonly reached: Reached = {
    preemptedForDecode: 0,
    preemptedForPrefill: 0,
    decodePreemptedForPrefill: 0,
    admissionBlocked: 0,
    chunked: 0,
    thresholdCut: 0,
    cancelledWaiting: 0,
    cancelledRunning: 0,
    cancelledPrefilling: 0,
    tiedWithStepEnd: 0,
    lost: 0,
    idleGaps: 0,
    recomputed: 0,
  };

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    for (const _ of scenario.requests) this.fates.push(undefined);
  }

  run(): NaiveOutcome & { readonly reached: Reached } {
    const events = outsideEvents(this.scenario);
    const integrals: Integrals[] = [];
    let next = 0;
    let nowS = 0;
    for (;;) {
      const outsideS = next < events.length ? events[next]!.timeS : Infinity;
      const stepEndS = this.step === null ? Infinity : this.step.endS;
      const timeS = Math.min(outsideS, stepEndS);
      if (timeS === Infinity) break;
      nowS = timeS;
      const comes = (kind: number): boolean =>
        next < events.length && events[next]!.timeS === timeS && events[next]!.kind === kind;
      while (comes(BOOK)) {
        integrals.push(this.integralsAt(timeS));
        next++;
      }
      while (comes(FAILURE)) {
        this.fail(timeS);
        next++;
      }
      const stepEnded = this.step !== null && this.step.endS === timeS;
      if (stepEnded) this.endStep(timeS);
      while (comes(ARRIVAL) || comes(CANCEL)) {
        const { kind, index } = events[next++]!;
        if (stepEnded) this.reached.tiedWithStepEnd++;
        if (kind === ARRIVAL) this.arrive(index);
        else this.cancel(index, timeS);
      }
      if (this.step === null) {
        this.dropCancelled(timeS);
        this.formStep(timeS);
        if (this.step === null && stepEnded && next < events.length) this.reached.idleGaps++;
      }
    }
    integrals.push(this.integralsAt(nowS));
    return {
      fates: this.fates,
      integrals,
      counts: { preemptions: this.preemptions, prefillTokens: this.prefillTokens, steps: this.steps },
      gapsS: [this.gapsS],
      tiedGaps: [this.tiedGaps],
      reached: this.reached,
    };
  }

  private arrive(index: number): void {
    const { inputTokens, outputTokens } = this.scenario.requests[index]!;
    this.waiting.push({
      index,
      input: inputTokens,
      output: outputTokens,
      generated: 0,
      toPrefill: inputTokens,
      prefilled: 0,
      blocks: 0,
      chunk: 0,
      decoding: false,
      cancelled: false,
      firstTokenS: NaN,
      lastTokenS: NaN,
    });
  }

  private cancel(index: number, nowS: number): void {
    const waiting = this.waiting.find((sequence) => sequence.index === index);
    if (waiting !== undefined) {
      this.waiting = this.waiting.filter((sequence) => sequence !== waiting);
      this.reached.cancelledWaiting++;
      this.close(waiting, "cancelled-waiting", nowS);
    }
    const running = this.running.find((sequence) => sequence.index === index);
    if (running === undefined) return;
    running.cancelled = true;
    if (running.generated > 1 && running.lastTokenS === nowS) this.tiedGaps++;
  }

  private fail(nowS: number): void {
    // Whoever gave up before is not lost: the client had gone, only the boundary was still to come.
    this.dropCancelled(nowS);
    for (const sequence of [...this.running, ...this.waiting]) {
      this.reached.lost++;
      this.close(sequence, "lost", nowS);
    }
    this.running = [];
    this.waiting = [];
    if (this.step !== null) this.ended.push({ ...this.step, endS: nowS });
    this.step = null;
  }

  private close(sequence: Sequence, kind: Fate["kind"], timeS: number): void {
    this.fates[sequence.index] = { kind, timeS, firstTokenS: sequence.firstTokenS };
  }

  /** Tokens come out, what is complete leaves. A cancelled sequence leaves without the token of this step. */
  private endStep(nowS: number): void {
    this.ended.push(this.step!);
    this.step = null;
    this.steps++;
    this.dropCancelled(nowS);
    for (const sequence of this.running.slice()) {
      if (!sequence.decoding) {
        sequence.prefilled += sequence.chunk;
        sequence.chunk = 0;
        if (sequence.prefilled < sequence.toPrefill) continue;
        sequence.decoding = true;
      }
      sequence.generated++;
      if (sequence.generated === 1) sequence.firstTokenS = nowS;
      else this.gapsS.push(nowS - sequence.lastTokenS);
      sequence.lastTokenS = nowS;
      if (sequence.generated === sequence.output) {
        this.running = this.running.filter((other) => other !== sequence);
        this.close(sequence, "completed", nowS);
      }
    }
  }

  private dropCancelled(nowS: number): void {
    for (const sequence of this.running) {
      if (!sequence.cancelled) continue;
      this.reached.cancelledRunning++;
      if (!sequence.decoding) this.reached.cancelledPrefilling++;
      this.close(sequence, "cancelled-running", nowS);
    }
    this.running = this.running.filter((sequence) => !sequence.cancelled);
  }

  private free(): number {
    return this.running.reduce((free, sequence) => free - sequence.blocks, this.scenario.spec.kvBlocks);
  }

  private blocksFor(tokens: number): number {
    return Math.ceil(tokens / this.scenario.spec.blockTokens);
  }

  private preemptLast(): Sequence {
    const victim = this.running.pop()!;
    this.preemptions++;
    if (victim.generated > 0) this.reached.recomputed++;
    victim.blocks = 0;
    victim.prefilled = 0;
    victim.decoding = false;
    victim.toPrefill = victim.input + victim.generated;
    this.waiting.unshift(victim);
    return victim;
  }

  private formStep(nowS: number): void {
    const { spec, stepTime } = this.scenario;
    const before = this.preemptions;

    // Decoding sequences first, all or with the last admitted ones sent away.
    const decodes = (): Sequence[] => this.running.filter((sequence) => sequence.decoding);
    const newBlocks = (): number =>
      decodes().reduce((sum, { input, generated, blocks }) => sum + this.blocksFor(input + generated) - blocks, 0);
    while (newBlocks() > this.free()) {
      this.preemptLast();
      this.reached.preemptedForDecode++;
    }
    for (const sequence of decodes()) sequence.blocks = this.blocksFor(sequence.input + sequence.generated);

    // Then chunks for partial prefills.
    let budget = spec.maxNumBatchedTokens - decodes().length;
    const chunkOf = (remaining: number): number => {
      const threshold = spec.longPrefillTokenThreshold;
      const cut = threshold > 0 ? Math.min(remaining, threshold) : remaining;
      if (cut < remaining && cut <= budget) this.reached.thresholdCut++;
      return Math.min(cut, budget);
    };
    for (const sequence of this.running.filter(({ decoding }) => !decoding)) {
      if (!this.running.includes(sequence)) break;
      if (budget === 0) break;
      for (;;) {
        const chunk = chunkOf(sequence.toPrefill - sequence.prefilled);
        const needed = this.blocksFor(sequence.prefilled + chunk) - sequence.blocks;
        if (needed <= this.free()) {
          sequence.chunk = chunk;
          sequence.blocks += needed;
          budget -= chunk;
          break;
        }
        this.reached.preemptedForPrefill++;
        const victimDecoded = this.running[this.running.length - 1]!.decoding;
        const victim = this.preemptLast();
        if (victimDecoded) {
          this.reached.decodePreemptedForPrefill++;
          budget++;
        }
        if (victim === sequence) break;
      }
    }

    // Then new requests, unless blocks ran out just now.
    while (
      this.preemptions === before &&
      this.waiting.length > 0 &&
      budget > 0 &&
      this.running.length < spec.maxNumSeqs
    ) {
      const sequence = this.waiting[0]!;
      const chunk = chunkOf(sequence.toPrefill);
      if (this.blocksFor(chunk) > this.free()) {
        this.reached.admissionBlocked++;
        break;
      }
      if (chunk < sequence.toPrefill) this.reached.chunked++;
      this.waiting.shift();
      this.running.push(sequence);
      sequence.chunk = chunk;
      sequence.blocks = this.blocksFor(chunk);
      budget -= chunk;
    }

    if (this.running.length === 0) return;
    let decodeSeqs = 0;
    let contextTokens = 0;
    let prefillTokens = 0;
    let attendedPairs = 0;
    let prompts = 0;
    let heldTokens = 0;
    for (const { decoding, input, generated, prefilled, chunk } of this.running) {
      if (decoding) {
        decodeSeqs++;
        contextTokens += input + generated;
      } else {
        prefillTokens += chunk;
        attendedPairs += chunk * (prefilled + chunk / 2);
        if (chunk > 0) prompts++;
        heldTokens += prefilled + chunk;
      }
    }
    this.prefillTokens += prefillTokens;
    const lengthS =
      prefillTokens > 0
        ? stepTime.mixedS(decodeSeqs, contextTokens, prefillTokens, attendedPairs, prompts)
        : stepTime.decodeBaseS[decodeSeqs]! + stepTime.perContextTokenS * contextTokens;
    this.step = {
      startS: nowS,
      endS: nowS + lengthS,
      sequences: this.running.length,
      kvTokens: contextTokens + heldTokens,
    };
  }

  private integralsAt(timeS: number): Integrals {
    return integralsAt(this.step === null ? this.ended : [...this.ended, this.step], timeS);
  }
}

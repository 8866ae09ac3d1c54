/**
 * The oracle of every scheduling policy: one replica, walked step by step and sequence by sequence, with queue and blocks as
 * plain arrays of objects. Written from the rules that policies, queue orders, prefix cache and scheduler options promise,
 * never from the engine's code and without its policies. O(everything) per step on purpose. Seconds, tokens.
 */
import { threefry2x32, unit, words } from "../../src/kernel/random.ts";
import { NaiveBlocks, textOf, type Block } from "./naive-blocks.ts";
import { NaiveQueue, type Queued } from "./naive-queue.ts";
import { integralsAt, type Step } from "./naive-steps.ts";
import type { NaiveOutcome } from "./naive-stepper.ts";
import {
  ARRIVAL,
  BOOK,
  CANCEL,
  FAILURE,
  outsideEvents,
  type Fate,
  type Integrals,
  type PolicyRequest,
  type PolicyScenario,
} from "./scenario.ts";

interface Sequence extends Queued {
  readonly request: PolicyRequest;
  readonly maxOutput: number;
  generated: number;
  /** Decodes so far, whatever became of what they computed. */
  decodes: number;
  decoding: boolean;
  /** Context to be computed before it decodes, and how much of it has its keys and values. */
  toPrefill: number;
  computed: number;
  /** While it waits: tokens whose keys and values come along when it is admitted, and whether the host holds them. */
  kept: number;
  onHost: boolean;
  admittedBefore: boolean;
  admission: number;
  blocks: Block[];
  /** How many of its blocks have had their turn to be named. */
  named: number;
  /** In the step under way. */
  plan: "nothing" | "decode" | "chunk";
  chunk: number;
  cancelled: boolean;
  firstTokenS: number;
  lastTokenS: number;
}

/** How often a scenario came to what it is there to test, by name. */
export type PolicyReached = Record<string, number>;

export type PolicyOutcome = NaiveOutcome & { readonly reached: PolicyReached };

/** Key of the draws of accepted drafts: part of the rule, so that all strategies have the same luck. */
const ACCEPTANCE_KEY = 0x4143;
const ACCEPTANCE_REST_KEY = 0x4152;

export function stepThroughPolicy(scenario: PolicyScenario): PolicyOutcome {
  return new NaivePolicyReplica(scenario).run();
}

class NaivePolicyReplica {
  private readonly scenario: PolicyScenario;
  private readonly queue: NaiveQueue<Sequence>;
  private blocks: NaiveBlocks;
  /** In order of admission. */
  private running: Sequence[] = [];
  private step: Step | null = null;
  private readonly ended: Step[] = [];
  private readonly fates: (Fate | undefined)[];
  private readonly gapsS: number[][];
  private readonly counts = {
    preemptions: 0,
    prefillTokens: 0,
    steps: 0,
    prefixTokensAsked: 0,
    prefixTokensFound: 0,
    swappedOutTokens: 0,
    draftTokens: 0,
    acceptedTokens: 0,
  };
  private readonly reached: PolicyReached = {};
  private arrivals = 0;
  private admissions = 0;
  // Of a closed batch (static, dynamic): seats it started with, and whether somebody was sent away from it.
  private seats = 0;
  /** Seats of a batch whose prompts are not all in yet; 0: they are. */
  private comingSeats = 0;
  private sentAway = false;
  /** When an incomplete batch has waited long enough; Infinity when nothing is waited for. */
  private holdUntilS = Infinity;
  // Of the step that is being formed.
  private transferS = 0;
  private preempted = false;
  private headBefore: Sequence | undefined;

  constructor(scenario: PolicyScenario) {
    this.scenario = scenario;
    this.queue = new NaiveQueue(scenario);
    this.blocks = this.emptyBlocks();
    this.fates = scenario.requests.map(() => undefined);
    this.gapsS = scenario.classes.map(() => []);
  }

  run(): PolicyOutcome {
    const events = outsideEvents(this.scenario);
    const integrals: Integrals[] = [];
    let next = 0;
    let nowS = 0;
    for (let guard = 0; ; guard++) {
      if (guard > 1_000_000) throw new Error("the naive replica does not come to an end");
      const outsideS = next < events.length ? events[next]!.timeS : Infinity;
      const ownS = this.step === null ? this.holdUntilS : this.step.endS;
      const timeS = Math.min(outsideS, ownS);
      if (timeS === Infinity) break;
      nowS = timeS;
      const comes = (kind: number): boolean =>
        next < events.length && events[next]!.timeS === timeS && events[next]!.kind === kind;
      for (; comes(BOOK); next++) integrals.push(this.integralsAt(timeS));
      for (; comes(FAILURE); next++) this.fail(timeS);
      if (this.step !== null && this.step.endS === timeS) this.endStep(timeS);
      while (comes(ARRIVAL) || comes(CANCEL)) {
        const { kind, index } = events[next++]!;
        if (kind === ARRIVAL) this.arrive(index, timeS);
        else this.cancel(index, timeS);
      }
      if (this.step === null) this.formStep(timeS);
    }
    integrals.push(this.integralsAt(nowS));
    this.reachEvictions();
    const { fates, counts, gapsS, reached } = this;
    return { fates, integrals, counts, gapsS, tiedGaps: gapsS.map(() => 0), reached };
  }

  private reach(name: string, times = 1): void {
    if (times > 0) this.reached[name] = (this.reached[name] ?? 0) + times;
  }

  private reachEvictions(): void {
    this.reach(`evicted ${this.scenario.scheduler.prefixCache?.eviction}`, this.blocks.evicted);
  }

  private emptyBlocks(): NaiveBlocks {
    return new NaiveBlocks(this.scenario.spec.kvBlocks, this.scenario.scheduler.prefixCache?.eviction ?? null);
  }

  // ---------------------------------------------------------------- from outside

  private arrive(index: number, nowS: number): void {
    const request = this.scenario.requests[index]!;
    const handedOver = this.scenario.scheduler.role === "decode";
    const firstTokenS = handedOver ? request.firstTokenS : NaN;
    this.queue.arrive({
      index,
      request,
      classIndex: request.classIndex,
      input: request.inputTokens,
      output: request.outputTokens,
      maxOutput: request.maxOutputTokens,
      arrivedS: nowS,
      arrival: ++this.arrivals,
      generated: handedOver ? 1 : 0,
      decodes: 0,
      decoding: false,
      toPrefill: request.inputTokens + (handedOver ? 1 : 0),
      computed: 0,
      kept: handedOver ? request.inputTokens : 0,
      onHost: false,
      admittedBefore: false,
      admission: 0,
      blocks: [],
      named: 0,
      plan: "nothing",
      chunk: 0,
      cancelled: false,
      firstTokenS,
      lastTokenS: firstTokenS,
    });
  }

  private cancel(index: number, nowS: number): void {
    const waiting = this.queue.waiting.find((sequence) => sequence.index === index);
    if (waiting !== undefined) {
      this.reach(waiting.kept > 0 ? "cancelledWaitingWithKv" : "cancelledWaiting");
      this.queue.remove(waiting);
      this.close(waiting, "cancelled-waiting", nowS);
    }
    const running = this.running.find((sequence) => sequence.index === index);
    if (running === undefined) return;
    this.reach("cancelledRunning");
    running.cancelled = true;
    if (this.step !== null) return;
    this.dropCancelled(nowS);
  }

  /** Everything is lost, and the replica starts anew. */
  private fail(nowS: number): void {
    if (this.running.length > 0) this.reach("lost");
    this.dropCancelled(nowS);
    for (const sequence of [...this.running, ...this.queue.waiting]) this.close(sequence, "lost", nowS);
    this.running = [];
    this.queue.restart();
    this.reachEvictions();
    this.blocks = this.emptyBlocks();
    this.seats = this.comingSeats = 0;
    this.sentAway = false;
    this.holdUntilS = Infinity;
    this.headBefore = undefined;
    if (this.step !== null) this.ended.push({ ...this.step, endS: nowS });
    this.step = null;
  }

  private close(sequence: Sequence, kind: Fate["kind"], timeS: number): void {
    this.fates[sequence.index] = { kind, timeS, firstTokenS: sequence.firstTokenS };
  }

  // ---------------------------------------------------------------- the end of a step

  private endStep(nowS: number): void {
    this.ended.push(this.step!);
    this.step = null;
    this.counts.steps++;
    this.dropCancelled(nowS);
    for (const sequence of this.running) {
      if (sequence.plan === "nothing") continue;
      let tokens = 1;
      if (sequence.plan === "decode") tokens = this.tokensOfDecode(sequence);
      else {
        sequence.computed += sequence.chunk;
        if (sequence.computed < sequence.toPrefill) continue;
        sequence.decoding = true;
      }
      if (sequence.generated === 0) sequence.firstTokenS = nowS;
      else
        for (let i = 0; i < tokens; i++) this.gapsS[sequence.classIndex]!.push((nowS - sequence.lastTokenS) / tokens);
      sequence.generated += tokens;
      sequence.lastTokenS = nowS;
      this.queue.charge(sequence.classIndex, 0, tokens);
      if (sequence.generated === sequence.output) this.leave(sequence, "completed", nowS);
      else if (this.scenario.scheduler.role === "prefill") this.leave(sequence, "handed-on", nowS);
    }
    for (const sequence of this.running) {
      sequence.plan = "nothing";
      sequence.chunk = 0;
    }
  }

  /** One token, and the drafts before the first that is refused: each is accepted with the same probability. */
  private tokensOfDecode(sequence: Sequence): number {
    const { speculative } = this.scenario.scheduler;
    if (speculative === null) return 1;
    // A draw holds the first bytes of the luck of eight decodes, another the rest of one.
    const decode = sequence.decodes++;
    threefry2x32(this.scenario.luckKey, ACCEPTANCE_KEY, sequence.index, Math.floor(decode / 8));
    const bytes = [...words].flatMap((word) => [0, 8, 16, 24].map((shift) => (word >>> shift) & 255));
    threefry2x32(this.scenario.luckKey, ACCEPTANCE_REST_KEY, sequence.index, decode);
    const luck = unit(bytes[decode % 8]! * 2 ** 24 + Math.floor((words[0]! >>> 0) / 256));
    let accepted = 0;
    let chance = speculative.acceptance;
    while (accepted < speculative.draftTokens && luck <= chance) {
      accepted++;
      chance *= speculative.acceptance;
    }
    const tokens = Math.min(1 + accepted, sequence.output - sequence.generated);
    this.reach("draftsAccepted", accepted);
    this.reach("draftsRefused", speculative.draftTokens - accepted);
    this.counts.draftTokens += speculative.draftTokens;
    this.counts.acceptedTokens += tokens - 1;
    return tokens;
  }

  /** Those who gave up leave without what the step brought, the last admitted first. */
  private dropCancelled(nowS: number): void {
    for (const sequence of [...this.running].reverse())
      if (sequence.cancelled) this.leave(sequence, "cancelled-running", nowS);
  }

  private leave(sequence: Sequence, kind: Fate["kind"], nowS: number): void {
    this.giveUpBlocks(sequence);
    this.close(sequence, kind, nowS);
  }

  /** Out of the batch; what its blocks hold can be found by others until they are taken. */
  private giveUpBlocks(sequence: Sequence): void {
    this.nameBlocks(sequence, sequence.decoding ? sequence.input + sequence.generated - 1 : sequence.computed);
    this.running = this.running.filter((other) => other !== sequence);
    this.blocks.release(sequence.blocks);
    sequence.blocks = [];
    sequence.named = 0;
  }

  // ---------------------------------------------------------------- forming a step

  private formStep(nowS: number): void {
    this.queue.settle();
    const head = this.queue.first(nowS);
    if (this.headBefore !== undefined && head !== this.headBefore && this.queue.waiting.includes(this.headBefore))
      this.reach(this.scenario.scheduler.order.name === "fair-share" ? "fairHeadChanged" : "headOvertaken");
    this.headBefore = head;

    this.transferS = 0;
    this.preempted = false;
    const wasHolding = this.holdUntilS < Infinity;
    this.holdUntilS = Infinity;
    let paddedTo = 0;
    switch (this.scenario.scheduler.batching.name) {
      case "chunked":
        this.formChunked(nowS);
        break;
      case "continuous":
        this.formContinuous(nowS);
        break;
      case "static":
        paddedTo = this.formClosed(nowS, wasHolding, this.option("batchSize"), this.option("timeoutMs"));
        if (paddedTo > this.planned("decode").length) this.reach("paddedStep");
        break;
      case "dynamic":
        this.formClosed(nowS, wasHolding, this.option("maxBatchSize"), this.option("maxQueueDelayMs"));
    }
    if (this.running.some(({ plan }) => plan !== "nothing")) this.begin(nowS, paddedTo);
    else if (this.running.length > 0) throw new Error("the naive replica is stuck");
  }

  private option(name: string): number {
    return this.scenario.scheduler.batching.options[name]!;
  }

  /** Decodes, then chunks of prompts under way, then admissions; nobody is admitted in a step that sent somebody away. */
  private formChunked(nowS: number): void {
    const { maxNumBatchedTokens, longPrefillTokenThreshold } = this.scenario.spec;
    const longest = longPrefillTokenThreshold > 0 ? longPrefillTokenThreshold : maxNumBatchedTokens;
    this.decodeAll(nowS);
    this.continuePrompts(nowS, longest);
    while (!this.preempted && this.admitFirst(nowS, longest));
  }

  /** Whole prompts in steps of their own; one that is longer than the budget goes on alone. */
  private formContinuous(nowS: number): void {
    const budget = this.scenario.spec.maxNumBatchedTokens;
    if (this.running.some(({ decoding }) => !decoding)) {
      this.continuePrompts(nowS, budget);
      if (this.planned("chunk").length === 0) this.decodeAll(nowS);
      return;
    }
    if (this.admitFirst(nowS, budget)) {
      for (;;) {
        const next = this.queue.first(nowS);
        if (next === undefined || next.toPrefill - this.alreadyThere(next) > this.budget()) break;
        if (!this.admitFirst(nowS, budget)) break;
      }
      return;
    }
    this.decodeAll(nowS);
  }

  /** Static and dynamic batches. Gives the seats of a step of decodes only, else 0. */
  private formClosed(nowS: number, wasHolding: boolean, batchSize: number, waitMs: number): number {
    const { maxNumBatchedTokens, maxNumSeqs } = this.scenario.spec;
    const { waiting } = this.queue;
    if (this.running.length === 0) {
      if (waiting.length === 0) {
        this.sentAway = false;
        return 0;
      }
      const full = waiting.length >= Math.min(batchSize, maxNumSeqs);
      const dueS = Math.min(...waiting.map(({ arrivedS }) => arrivedS)) + waitMs / 1000;
      if (!full && !this.sentAway && nowS < dueS) {
        this.holdUntilS = dueS;
        return 0;
      }
      if (wasHolding) this.reach(full ? "startedFull" : "startedLate");
      if (this.sentAway) this.reach("returnedToBatch");
      this.sentAway = false;
      this.seats = 0;
      this.comingSeats = Math.min(waiting.length, batchSize, maxNumSeqs);
      this.seat(nowS);
      return 0;
    }
    this.continuePrompts(nowS, maxNumBatchedTokens);
    if (this.preempted || this.sentAway) this.comingSeats = 0;
    if (this.comingSeats > 0) this.reach("seatedLater");
    this.seat(nowS);
    const onlyDecodes = this.running.every(({ plan }) => plan === "nothing");
    if (onlyDecodes) this.decodeAll(nowS);
    if (this.preempted) this.sentAway = true;
    return onlyDecodes ? Math.min(this.seats, maxNumSeqs) : 0;
  }

  /** More of a batch whose answers have not begun, as far as the budget goes; for good where somebody has no room. */
  private seat(nowS: number): void {
    while (this.seats < this.comingSeats && this.budget() > 0) {
      if (!this.admitFirst(nowS, this.scenario.spec.maxNumBatchedTokens)) {
        this.comingSeats = 0;
        return;
      }
      this.seats++;
    }
    if (this.seats === this.comingSeats) this.comingSeats = 0;
  }

  // ---------------------------------------------------------------- what steps are made of

  private planned(what: Sequence["plan"]): Sequence[] {
    return this.running.filter(({ plan }) => plan === what);
  }

  /** Tokens that the step may still take; decodes may overdraw it, with a token each and the drafts. */
  private budget(): number {
    let left = this.scenario.spec.maxNumBatchedTokens;
    for (const { plan, chunk } of this.running)
      if (plan === "chunk") left -= chunk;
      else if (plan === "decode") left -= 1 + this.drafts();
    return left;
  }

  private drafts(): number {
    return this.scenario.scheduler.speculative?.draftTokens ?? 0;
  }

  private blocksFor(tokens: number): number {
    return Math.ceil(tokens / this.scenario.spec.blockTokens);
  }

  /** Blocks for a decode: its context and the drafts, but never beyond the longest answer allowed or the whole cache. */
  private blocksToDecode({ input, generated, maxOutput }: Sequence): number {
    const context = input + generated;
    const longest = Math.max(context, Math.min(context + this.drafts(), input + maxOutput - 1));
    return Math.min(this.blocksFor(longest), this.scenario.spec.kvBlocks);
  }

  private decodeAll(nowS: number): void {
    for (;;) {
      const decodes = this.running.filter(({ decoding }) => decoding);
      const more = (sequence: Sequence): number => Math.max(0, this.blocksToDecode(sequence) - sequence.blocks.length);
      const needed = decodes.reduce((sum, sequence) => sum + more(sequence), 0);
      if (needed > this.blocks.free()) {
        this.sendAway(this.queue.victim(this.running, nowS));
        continue;
      }
      for (const sequence of decodes) {
        this.takeBlocks(sequence, this.blocksToDecode(sequence));
        sequence.plan = "decode";
      }
      return;
    }
  }

  /** Chunks in order of admission. Where blocks lack somebody is sent away, perhaps the prompt itself, and the next has its turn. */
  private continuePrompts(nowS: number, longest: number): void {
    for (;;) {
      const sequence = this.running.find(({ decoding, plan }) => !decoding && plan === "nothing");
      if (sequence === undefined) return;
      const chunk = Math.min(sequence.toPrefill - sequence.computed, longest, this.budget());
      if (chunk <= 0) return;
      if (this.blocksFor(sequence.computed + chunk) - sequence.blocks.length <= this.blocks.free()) {
        this.planChunk(sequence, chunk);
        continue;
      }
      const victim = this.queue.victim(this.running, nowS);
      if (victim.plan !== "nothing") this.reach("plannedSentAway");
      this.sendAway(victim);
    }
  }

  private planChunk(sequence: Sequence, chunk: number): void {
    this.takeBlocks(sequence, this.blocksFor(sequence.computed + chunk));
    sequence.plan = "chunk";
    sequence.chunk = chunk;
    this.nameBlocks(sequence, sequence.computed + chunk);
  }

  private takeBlocks(sequence: Sequence, blocks: number): void {
    while (sequence.blocks.length < blocks)
      sequence.blocks.push(this.blocks.take(sequence.admission, sequence.blocks.length));
  }

  private contents(sequence: Sequence, block: number): string {
    return textOf(sequence.request, sequence.index, (block + 1) * this.scenario.spec.blockTokens);
  }

  /** Each whole block of its first `tokens` tokens has one turn. */
  private nameBlocks(sequence: Sequence, tokens: number): void {
    for (; (sequence.named + 1) * this.scenario.spec.blockTokens <= tokens; sequence.named++)
      this.blocks.name(sequence.blocks[sequence.named]!, this.contents(sequence, sequence.named));
  }

  /** Back to the queue, with its keys and values on the host if it may and there is room for them. */
  private sendAway(sequence: Sequence): void {
    const { preemption, swapSpaceTokens, swapSPerToken } = this.scenario.scheduler;
    if (sequence.plan === "chunk") {
      // What will not be computed after all can't be found.
      const whole = Math.floor(sequence.computed / this.scenario.spec.blockTokens);
      for (const block of sequence.blocks.slice(whole, sequence.named)) block.contents = null;
      sequence.named = Math.min(sequence.named, whole);
    }
    sequence.plan = "nothing";
    sequence.chunk = 0;
    const tokens = sequence.decoding ? sequence.input + sequence.generated - 1 : sequence.computed;
    this.giveUpBlocks(sequence);
    const onHost = this.queue.waiting.reduce((sum, other) => sum + (other.onHost ? other.kept : 0), 0);
    sequence.onHost = preemption === "swap" && tokens > 0 && onHost + tokens <= swapSpaceTokens;
    sequence.kept = sequence.onHost ? tokens : 0;
    if (sequence.onHost) {
      this.transferS += tokens * swapSPerToken;
      this.counts.swappedOutTokens += tokens;
      this.reach("swappedOut");
    } else this.reach(preemption === "swap" && tokens > 0 ? "swapSpaceExhausted" : "recomputed");
    sequence.decoding = false;
    sequence.computed = 0;
    sequence.toPrefill = sequence.input + sequence.generated;
    this.queue.putBack(sequence);
    this.counts.preemptions++;
    this.preempted = true;
  }

  /** Blocks that the cache has of a context; the last token is always computed. */
  private cached(sequence: Sequence): Block[] {
    if (sequence.kept > 0) return [];
    const whole = Math.floor((sequence.toPrefill - 1) / this.scenario.spec.blockTokens);
    const contents = Array.from({ length: whole }, (_, block) => this.contents(sequence, block));
    return this.blocks.find(contents);
  }

  private alreadyThere(sequence: Sequence): number {
    return sequence.kept > 0 ? sequence.kept : this.cached(sequence).length * this.scenario.spec.blockTokens;
  }

  /** A replica that hands on after the first token holds no more than the prompt. */
  private reservation({ input, maxOutput }: Sequence): number {
    const { kvBlocks, maxModelLen } = this.scenario.spec;
    const answer = this.scenario.scheduler.role === "prefill" ? 1 : maxOutput;
    return Math.min(kvBlocks, this.blocksFor(Math.min(input + answer - 1, maxModelLen)));
  }

  /** The first of the queue into the batch, if seats, budget and blocks allow. */
  private admitFirst(nowS: number, longest: number): boolean {
    const { spec, scheduler } = this.scenario;
    const sequence = this.queue.first(nowS);
    if (sequence === undefined || this.running.length >= spec.maxNumSeqs || this.budget() <= 0) return false;
    if (scheduler.admission === "reserve") {
      const reserved = this.running.reduce((sum, other) => sum + this.reservation(other), 0);
      if (reserved + this.reservation(sequence) > spec.kvBlocks) {
        this.reach("reserveBlocked");
        return false;
      }
    }
    const found = this.cached(sequence);
    const done = this.alreadyThere(sequence);
    const decodes = sequence.generated > 0 && sequence.kept > 0 && done === sequence.toPrefill - 1;
    const chunk = Math.min(sequence.toPrefill - done, longest, this.budget());
    const blocks = decodes ? this.blocksToDecode(sequence) : this.blocksFor(done + chunk);
    if (blocks - found.filter(({ users }) => users > 0).length > this.blocks.free()) {
      this.reach("admissionBlocked");
      return false;
    }
    if (found.length > 0) this.reach("prefixHit");
    if (found.some(({ users }) => users > 0)) this.reach("sharedBlocks");
    if (scheduler.prefixCache !== null && sequence.kept === 0) this.counts.prefixTokensAsked += sequence.toPrefill;
    this.counts.prefixTokensFound += found.length * spec.blockTokens;
    this.queue.remove(sequence);
    if (!sequence.admittedBefore && !decodes) this.queue.charge(sequence.classIndex, sequence.toPrefill - done, 0);
    sequence.admittedBefore = true;
    this.running.push(sequence);
    sequence.admission = ++this.admissions;
    for (const block of found) this.blocks.share(block);
    sequence.blocks = found;
    sequence.named = found.length;
    sequence.computed = done;
    if (sequence.onHost) {
      this.transferS += sequence.kept * scheduler.swapSPerToken;
      this.reach("swappedIn");
    }
    sequence.kept = 0;
    sequence.onHost = false;
    sequence.decoding = decodes;
    if (decodes) {
      this.takeBlocks(sequence, blocks);
      sequence.plan = "decode";
    } else this.planChunk(sequence, chunk);
    return true;
  }

  // ---------------------------------------------------------------- time

  private begin(nowS: number, paddedTo: number): void {
    const { stepTime, spec } = this.scenario;
    let contextTokens = 0;
    let prefillTokens = 0;
    let attendedPairs = 0;
    let prompts = 0;
    let kvTokens = 0;
    const seen = new Set<Block>();
    for (const { plan, chunk, computed, decoding, input, generated, blocks } of this.running) {
      if (plan === "decode") contextTokens += input + generated;
      if (plan === "chunk") {
        prefillTokens += chunk;
        attendedPairs += chunk * (computed + chunk / 2);
        prompts++;
      }
      const held = !decoding ? computed + chunk : input + generated - (plan === "decode" ? 0 : 1);
      blocks.forEach((block, place) => {
        if (!seen.has(block)) kvTokens += Math.max(0, Math.min(spec.blockTokens, held - place * spec.blockTokens));
        seen.add(block);
      });
    }
    this.counts.prefillTokens += prefillTokens;
    const seats = Math.max(paddedTo, this.planned("decode").length);
    const lengthS =
      prefillTokens > 0
        ? stepTime.mixedS(seats, contextTokens, prefillTokens, attendedPairs, prompts)
        : stepTime.decodeBaseS[seats]! + stepTime.perContextTokenS * contextTokens;
    this.step = { startS: nowS, endS: nowS + lengthS + this.transferS, sequences: this.running.length, kvTokens };
  }

  private integralsAt(timeS: number): Integrals {
    return integralsAt(this.step === null ? this.ended : [...this.ended, this.step], timeS);
  }
}

/**
 * The batch and its queue again, as plain objects in plain lists with nothing kept that could be counted anew: the
 * `StepView` of the naive executor. Written from the interface's promises, not from `batch.ts`; slow on purpose. Tokens.
 */
import {
  NO_BLOCKS,
  NONE,
  type OrderPlugin,
  type QueueOrder,
  type StepView,
  type TenantCharges,
} from "../policies/policy.ts";
import { chargesOf, numberKey, wholeChunk } from "../policy-faults.ts";
import { predictedTokens } from "../request-facts.ts";
import type { ConformRequest, ConformScenario } from "./scenario.ts";

export interface Sequence extends ConformRequest {
  readonly index: number;
  /** Place in the queue order: by key, then ticket. */
  key: number;
  ticket: number;
  generated: number;
  /** Context to be computed before it decodes, and how much of it is. */
  context: number;
  computed: number;
  blocks: number;
  decoding: boolean;
  /** Was in the batch before. */
  admitted: boolean;
  cancelled: boolean;
  /** In the step being formed. */
  chunk: number;
  decodes: boolean;
  firstTokenS: number;
}

/** Calls of one `schedule` after which it counts as an endless loop. */
const MOST_CALLS = 200_000;

export class NaiveStep implements StepView {
  waiting: Sequence[] = [];
  /** In order of admission. */
  running: Sequence[] = [];
  // What this step has come to.
  transferS = 0;
  seats = 0;
  wakeS = Infinity;
  preemptions = 0;
  /** Times that a policy asked for the true length, through a prediction without error. */
  exactPredictions = 0;

  private openedS = 0;
  private readonly scenario: ConformScenario;
  private readonly orderPlugin: OrderPlugin;
  private readonly order: QueueOrder;
  private readonly charges: TenantCharges | null;
  private readonly sequences = new Map<number, Sequence>();
  private onHost = 0;
  private lastTicket = 0;
  private frontTicket = 0;
  private calls = 0;
  // Fair shares: tokens served by tenant, what its absence is worth, and who came back since the last step.
  private readonly servedInput: number[];
  private readonly servedOutput: number[];
  private readonly lift: number[];
  private readonly back = new Set<number>();
  private lastToLeave = NONE;

  constructor(scenario: ConformScenario, order: OrderPlugin, options: Readonly<Record<string, number>>) {
    this.scenario = scenario;
    this.orderPlugin = order;
    this.order = order.create(options);
    this.charges = chargesOf(order, options);
    this.servedInput = scenario.classes.map(() => 0);
    this.servedOutput = scenario.classes.map(() => 0);
    this.lift = scenario.classes.map(() => 0);
  }

  // ---------------------------------------------------------------- the request

  inputTokens(request: number): number {
    return this.of(request).inputTokens;
  }
  maxOutputTokens(request: number): number {
    return this.of(request).maxOutputTokens;
  }
  arrivedS(request: number): number {
    return this.of(request).arrivalS;
  }
  priority(request: number): number {
    return this.scenario.classes[this.of(request).classIndex].priority;
  }
  deadlineS(request: number): number {
    const { ttftS } = this.scenario.classes[this.of(request).classIndex];
    return ttftS === null ? Infinity : this.of(request).arrivalS + ttftS;
  }
  tenant(request: number): number {
    return this.of(request).classIndex;
  }
  predictedOutputTokens(request: number, sigma: number): number {
    if (sigma === 0) this.exactPredictions++;
    return predictedTokens(this.scenario.luckKey, request, this.of(request).outputTokens, sigma);
  }

  // ---------------------------------------------------------------- the replica

  // Getters alone, so that a policy which writes into its view fails.
  get nowS(): number {
    return this.openedS;
  }
  get maxNumSeqs(): number {
    return this.scenario.spec.maxNumSeqs;
  }
  get maxNumBatchedTokens(): number {
    return this.scenario.spec.maxNumBatchedTokens;
  }
  get longestChunkTokens(): number {
    return this.scenario.spec.longPrefillTokenThreshold || this.maxNumBatchedTokens;
  }
  get blockTokens(): number {
    return this.scenario.spec.blockTokens;
  }
  get kvBlocks(): number {
    return this.scenario.spec.kvBlocks;
  }
  get freeBlocks(): number {
    return this.running.reduce((free, { blocks }) => free - blocks, this.kvBlocks);
  }
  get budgetTokens(): number {
    return this.maxNumBatchedTokens - this.tokensTaken();
  }
  tokensTaken(): number {
    return this.running.reduce((sum, { chunk, decodes }) => sum + chunk + (decodes ? 1 : 0), 0);
  }

  // ---------------------------------------------------------------- queue and batch

  get waitingCount(): number {
    return this.waiting.length;
  }
  firstWaiting(): number {
    this.count();
    const candidates = this.charges === null ? this.waiting : this.ofPoorestTenant();
    let first: Sequence | null = null;
    for (const one of candidates)
      if (first === null || one.key < first.key || (one.key === first.key && one.ticket < first.ticket)) first = one;
    return first === null ? NONE : first.index;
  }
  waitingAt(i: number): number {
    this.count();
    return this.waiting[i].index;
  }
  get runningCount(): number {
    return this.running.length;
  }
  runningAt(i: number): number {
    this.count();
    return this.running[i].index;
  }
  isDecoding(request: number): boolean {
    return this.of(request).decoding;
  }
  generatedTokens(request: number): number {
    return this.of(request).generated;
  }
  prefillTokensLeft(request: number): number {
    const { decoding, context, computed } = this.of(request);
    return decoding ? 0 : context - computed;
  }

  // ---------------------------------------------------------------- decisions

  decodeAll(): boolean {
    this.count();
    const ready = this.running.filter(({ decoding, decodes }) => decoding && !decodes);
    if (ready.reduce((sum, one) => sum + this.blocksToDecode(one), 0) > this.freeBlocks) return false;
    for (const one of ready) this.planDecode(one);
    return true;
  }

  decode(request: number): boolean {
    this.count();
    const one = this.runningNamed(request);
    if (!one.decoding || one.decodes || this.budgetTokens <= 0 || this.blocksToDecode(one) > this.freeBlocks)
      return false;
    this.planDecode(one);
    return true;
  }

  nextPrefill(): number {
    this.count();
    return this.running.find(({ decoding, chunk }) => !decoding && chunk === 0)?.index ?? NONE;
  }

  prefill(request: number, tokens: number): number {
    this.count();
    const one = this.runningNamed(request);
    if (one.decoding || one.chunk > 0) return 0;
    const chunk = this.whole(tokens, Math.min(one.context - one.computed, tokens, this.budgetTokens));
    if (chunk <= 0) return 0;
    if (this.blocksFor(one.computed + chunk) - one.blocks > this.freeBlocks) return NO_BLOCKS;
    this.planPrefill(one, chunk);
    return chunk;
  }

  admit(request: number, tokens: number): number {
    this.count();
    const one = this.of(request);
    if (!this.waiting.includes(one) || this.running.length >= this.maxNumSeqs || this.budgetTokens <= 0) return 0;
    if (this.scenario.scheduler.admission === "reserve") {
      const reserved = this.running.reduce((sum, other) => sum + this.reservation(other), 0);
      if (reserved + this.reservation(one) > this.kvBlocks) return NO_BLOCKS;
    }
    // What comes back from the host with all but its newest token's keys and values decodes at once.
    const decodes = one.computed > 0 && one.generated > 0 && one.computed === one.context - 1;
    const chunk = this.whole(tokens, decodes ? 1 : Math.min(one.context - one.computed, tokens, this.budgetTokens));
    if (chunk <= 0) return 0;
    if (this.blocksFor(one.computed + chunk) > this.freeBlocks) return NO_BLOCKS;
    this.leaveQueue(one);
    this.running.push(one);
    if (!one.admitted) this.servedInput[one.classIndex] += one.context - one.computed;
    one.admitted = true;
    if (one.computed > 0) {
      this.onHost -= one.computed;
      this.transferS += one.computed * this.scenario.scheduler.swapSPerToken;
      one.blocks = this.blocksFor(one.computed);
    }
    one.decoding = decodes;
    if (decodes) this.planDecode(one);
    else this.planPrefill(one, chunk);
    return chunk;
  }

  victim(): number {
    this.count();
    if (this.orderPlugin.victim === "last-admitted") return this.running[this.running.length - 1].index;
    let worst = this.running[0];
    for (const one of this.running)
      if (one.key > worst.key || (one.key === worst.key && one.ticket > worst.ticket)) worst = one;
    return worst.index;
  }

  preempt(request: number): void {
    this.count();
    const one = this.runningNamed(request);
    const { preemption, swapSpaceTokens, swapSPerToken } = this.scenario.scheduler;
    const computed = one.decoding ? one.inputTokens + one.generated - 1 : one.computed;
    const swapped = preemption === "swap" && computed > 0 && this.onHost + computed <= swapSpaceTokens;
    if (swapped) {
      this.onHost += computed;
      this.transferS += computed * swapSPerToken;
    }
    this.running = this.running.filter((other) => other !== one);
    one.blocks = one.chunk = 0;
    one.decodes = one.decoding = false;
    one.context = one.inputTokens + one.generated;
    one.computed = swapped ? computed : 0;
    if (this.orderPlugin.victim === "last-admitted") one.ticket = --this.frontTicket;
    this.waiting.push(one);
    this.preemptions++;
  }

  padDecodesTo(sequences: number): void {
    this.seats = Math.min(sequences, this.maxNumSeqs);
  }

  wakeAt(timeS: number): void {
    this.wakeS = timeS;
  }

  // ---------------------------------------------------------------- for the executor

  /** Before a step is formed. */
  open(nowS: number): void {
    this.openedS = nowS;
    this.transferS = this.seats = this.calls = 0;
    this.wakeS = Infinity;
    for (const one of this.running) {
      one.chunk = 0;
      one.decodes = false;
    }
    this.levelTenants();
  }

  join(index: number): void {
    const request = this.scenario.requests[index];
    const one: Sequence = {
      ...request,
      index,
      key: 0,
      ticket: ++this.lastTicket,
      generated: 0,
      context: request.inputTokens,
      computed: 0,
      blocks: 0,
      decoding: false,
      admitted: false,
      cancelled: false,
      chunk: 0,
      decodes: false,
      firstTokenS: NaN,
    };
    this.sequences.set(index, one);
    one.key = numberKey(this.orderPlugin.name, this.order.key(this, index));
    if (!this.waiting.some(({ classIndex }) => classIndex === one.classIndex)) this.back.add(one.classIndex);
    this.waiting.push(one);
  }

  /** One that waits gives up. */
  giveUp(one: Sequence): void {
    this.leaveQueue(one);
    this.onHost -= one.computed;
    this.sequences.delete(one.index);
  }

  leaveBatch(one: Sequence): void {
    this.running = this.running.filter((other) => other !== one);
    this.sequences.delete(one.index);
  }

  /** A token of its answer is out. */
  chargeToken({ classIndex }: Sequence): void {
    this.servedOutput[classIndex]++;
  }

  /** Blocks that what is computed takes, counted from nothing: what `freeBlocks` must leave. */
  blocksOwed(): number {
    return this.running.reduce((sum, one) => {
      const tokens = one.decodes
        ? one.inputTokens + one.generated
        : one.decoding
          ? one.inputTokens + one.generated - 1
          : one.computed + one.chunk;
      return sum + this.blocksFor(tokens);
    }, 0);
  }

  // ---------------------------------------------------------------- inside

  private of(request: number): Sequence {
    this.count();
    const one = this.sequences.get(request);
    if (one === undefined) throw new RangeError(`asks about request ${request}, which is neither waiting nor running`);
    return one;
  }

  private runningNamed(request: number): Sequence {
    const one = this.running.find(({ index }) => index === request);
    if (one === undefined) throw new RangeError(`names request ${request}, which does not run`);
    return one;
  }

  private count(): void {
    if (++this.calls > MOST_CALLS) throw new RangeError("schedule does not come to an end");
  }

  /** The chunk that `tokens` were cut to: the rules of the interface ask for whole ones. */
  private whole(tokens: number, chunk: number): number {
    return wholeChunk(this.scenario.scheduler.batching.name, tokens, chunk);
  }

  private blocksFor(tokens: number): number {
    return Math.ceil(tokens / this.blockTokens);
  }

  private blocksToDecode({ inputTokens, generated, blocks }: Sequence): number {
    return Math.max(0, this.blocksFor(inputTokens + generated) - blocks);
  }

  private reservation({ inputTokens, maxOutputTokens }: Sequence): number {
    const { maxModelLen } = this.scenario.spec;
    return Math.min(this.kvBlocks, this.blocksFor(Math.min(maxModelLen, inputTokens + maxOutputTokens - 1)));
  }

  private planDecode(one: Sequence): void {
    one.blocks += this.blocksToDecode(one);
    one.decodes = true;
  }

  private planPrefill(one: Sequence, chunk: number): void {
    one.chunk = chunk;
    one.blocks = this.blocksFor(one.computed + chunk);
  }

  private leaveQueue(one: Sequence): void {
    this.waiting = this.waiting.filter((other) => other !== one);
    if (this.waiting.some(({ classIndex }) => classIndex === one.classIndex)) return;
    // A tenant that came and went between two steps was never levelled, so it is no level for others.
    if (!this.back.has(one.classIndex)) this.lastToLeave = one.classIndex;
    this.back.delete(one.classIndex);
  }

  private service(tenant: number): number {
    const { inputWeight, outputWeight } = this.charges!;
    return this.lift[tenant] + inputWeight * this.servedInput[tenant] + outputWeight * this.servedOutput[tenant];
  }

  private ofPoorestTenant(): Sequence[] {
    let poorest = NONE;
    for (let tenant = 0; tenant < this.lift.length; tenant++) {
      if (!this.waiting.some(({ classIndex }) => classIndex === tenant)) continue;
      if (poorest === NONE || this.service(tenant) < this.service(poorest)) poorest = tenant;
    }
    return this.waiting.filter(({ classIndex }) => classIndex === poorest);
  }

  /** A tenant that was away starts level with the poorest that waited, or with the last that left. */
  private levelTenants(): void {
    if (this.charges === null) return;
    const stayed = new Set(this.waiting.map(({ classIndex }) => classIndex).filter((tenant) => !this.back.has(tenant)));
    let level = Math.min(...[...stayed].map((tenant) => this.service(tenant)));
    if (stayed.size === 0) level = this.lastToLeave === NONE ? -Infinity : this.service(this.lastToLeave);
    for (const tenant of this.back) this.lift[tenant] += Math.max(0, level - this.service(tenant));
    this.back.clear();
  }
}

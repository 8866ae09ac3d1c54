/**
 * The batch of one replica and the step being formed for it: what a policy sees (`StepView`) and what its decisions cost in
 * budget, seats and KV blocks. Running sequences stand in order of admission in parallel columns. Of the table's columns `heapSlot` is
 * the place of a sequence there, `nextAtStep` the tokens of a waiting one that the host holds, and `next` 1 once it was admitted.
 * Lengths in tokens.
 *
 *   INV-4  referenced + free = kvBlocks.
 */
import { InvariantError } from "../kernel/errors.ts";
import { NO_BLOCKS, NONE, type OrderPlugin, type StepView } from "./policies/policy.ts";
import { PrefixCache } from "./prefix-cache.ts";
import { OWN_KEYS, type PromptContent } from "./prompt-content.ts";
import { type ClassTraits, TableFacts } from "./request-facts.ts";
import type { RequestTable } from "./request-table.ts";
import type { SchedulerSpec } from "./scheduler-spec.ts";
import type { EngineSpec } from "./spec.ts";
import { WaitingLine } from "./waiting-line.ts";

export const WAITING = 0;
export const PREFILLING = 1;
export const DECODING = 2;
export const CANCELLED = 4;

/** What a running sequence does in the step. */
export const NOTHING = 0;
export const DECODE = 1;
export const PREFILL = 2;

export class Batch extends TableFacts implements StepView {
  nowS = 0;
  budgetTokens = 0;
  runningCount = 0;
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  readonly longestChunkTokens: number;
  readonly blockTokens: number;
  readonly kvBlocks: number;
  readonly line: WaitingLine;

  // Running sequences. While one runs, what it has generated and heard last stands here and not in the table: steps walk these columns.
  slots: Int32Array = new Int32Array(16);
  /** PREFILLING or DECODING. */
  phase: Uint8Array = new Uint8Array(16);
  /** Prompt and answer so far, and answer still to come. */
  context: Int32Array = new Int32Array(16);
  left: Int32Array = new Int32Array(16);
  lastTokenS: Float64Array = new Float64Array(16);
  classOf: Uint8Array = new Uint8Array(16);
  does: Uint8Array = new Uint8Array(16);
  chunk: Int32Array = new Int32Array(16);
  private blocks: Int32Array = new Int32Array(16);
  private key: Float64Array = new Float64Array(16);
  private ticket: Float64Array = new Float64Array(16);
  /** With a prefix cache: number of the admission, blocks by number, and how many of them are named. */
  private admission: Float64Array = new Float64Array(16);
  private named: Int32Array = new Int32Array(16);
  /** It was preempted before. */
  private again: Uint8Array = new Uint8Array(16);
  private readonly held: number[][] = [];

  // The step.
  decodeCount = 0;
  /** Context that the decoding sequences attend to. */
  decodeContext = 0;
  prefillTokens = 0;
  attendedPairs = 0;
  /** Sequences that a decode step is priced at, if more than decode. */
  seats = 0;
  /** Time to move KV to and from the host. */
  transferS = 0;
  wakeS = Infinity;
  /** Nobody was admitted or preempted. */
  unchanged = true;
  /** A waiting request was looked at with cached blocks that nobody references: they may be gone at the next step. */
  sawFreeCached = false;

  // Sums since the start.
  preemptions = 0;
  prefixTokensFound = 0;
  prefixTokensAsked = 0;
  swappedOutTokens = 0;

  private readonly scheduler: SchedulerSpec;
  private readonly content: PromptContent;
  private readonly cache: PrefixCache | null;
  private readonly namesAll: boolean;
  private readonly lastAdmittedFirst: boolean;
  private readonly blockShift: number;
  private readonly maxModelLen: number;
  /** Tokens of a decode in the budget, and the blocks it may need: one and the drafts. */
  private readonly decodeTokens: number;
  private readonly phases: Int32Array;
  private free: number;
  private reservedBlocks = 0;
  private onHostTokens = 0;
  private admissions = 0;
  private prefillCursor = 0;

  constructor(
    spec: EngineSpec,
    scheduler: SchedulerSpec,
    order: OrderPlugin,
    orderOptions: Readonly<Record<string, number>>,
    classes: readonly ClassTraits[],
    luckKey: number,
    content: PromptContent,
    table: RequestTable,
  ) {
    super(table, classes, luckKey);
    this.scheduler = scheduler;
    this.content = content;
    this.maxNumSeqs = spec.maxNumSeqs;
    this.maxNumBatchedTokens = spec.maxNumBatchedTokens;
    this.longestChunkTokens =
      spec.longPrefillTokenThreshold > 0 ? spec.longPrefillTokenThreshold : spec.maxNumBatchedTokens;
    this.blockTokens = spec.blockTokens;
    this.blockShift = 31 - Math.clz32(spec.blockTokens);
    this.kvBlocks = spec.kvBlocks;
    this.maxModelLen = spec.maxModelLen;
    this.free = spec.kvBlocks;
    this.cache = scheduler.prefixCache === null ? null : new PrefixCache(spec.kvBlocks, scheduler.prefixCache.eviction);
    this.namesAll = scheduler.prefixCache?.eviction !== "lru";
    this.lastAdmittedFirst = order.victim === "last-admitted";
    this.decodeTokens = 1 + (scheduler.speculative?.mode === "exact" ? scheduler.speculative.draftTokens : 0);
    this.phases = new Int32Array(spec.blockTokens);
    this.line = new WaitingLine(order, orderOptions, this, table, classes.length);
  }

  get waitingCount(): number {
    return this.line.count;
  }

  get freeBlocks(): number {
    return this.cache === null ? this.free : this.cache.free;
  }

  // ---------------------------------------------------------------- what a policy sees

  firstWaiting(): number {
    return this.line.first();
  }

  waitingAt(i: number): number {
    return this.line.at(i);
  }

  runningAt(i: number): number {
    return this.slots[i];
  }

  isDecoding(request: number): boolean {
    return (this.table.state[request] & ~CANCELLED) === DECODING;
  }

  generatedTokens(request: number): number {
    const { state, generated, inputTokens, heapSlot } = this.table;
    return state[request] === WAITING ? generated[request] : this.context[heapSlot[request]] - inputTokens[request];
  }

  prefillTokensLeft(request: number): number {
    const table = this.table;
    if (this.isDecoding(request)) return 0;
    const left = table.prefillTokens[request] - table.prefilledTokens[request];
    if (this.cache === null || table.state[request] !== WAITING || table.prefilledTokens[request] > 0) return left;
    return left - this.matchPrefix(request) * this.blockTokens;
  }

  nextPrefill(): number {
    for (; this.prefillCursor < this.runningCount; this.prefillCursor++) {
      const i = this.prefillCursor;
      if (this.does[i] === NOTHING && this.phase[i] === PREFILLING) return this.slots[i];
    }
    return NONE;
  }

  victim(): number {
    if (this.lastAdmittedFirst) return this.slots[this.runningCount - 1];
    const { key, ticket } = this;
    let worst = 0;
    for (let i = 1; i < this.runningCount; i++)
      if (key[i] > key[worst] || (key[i] === key[worst] && ticket[i] > ticket[worst])) worst = i;
    return this.slots[worst];
  }

  // ---------------------------------------------------------------- what it decides

  decodeAll(): boolean {
    const { does, phase, runningCount } = this;
    // No sequence needs more than this many blocks beyond those it has.
    const most = 1 + ((this.decodeTokens + this.blockTokens - 2) >> this.blockShift);
    if (runningCount * most > this.freeBlocks) {
      let need = 0;
      for (let i = 0; i < runningCount; i++)
        if (does[i] === NOTHING && phase[i] === DECODING) need += this.decodeBlocks(i);
      if (need > this.freeBlocks) return false;
    }
    for (let i = 0; i < runningCount; i++) if (does[i] === NOTHING && phase[i] === DECODING) this.planDecode(i);
    return true;
  }

  decode(request: number): boolean {
    const i = this.placeOf(request);
    if (this.does[i] !== NOTHING || !this.isDecoding(request)) return false;
    if (this.budgetTokens <= 0 || this.decodeBlocks(i) > this.freeBlocks) return false;
    this.planDecode(i);
    return true;
  }

  prefill(request: number, tokens: number): number {
    const i = this.placeOf(request);
    if (this.does[i] !== NOTHING || this.isDecoding(request)) return 0;
    const left = this.table.prefillTokens[request] - this.table.prefilledTokens[request];
    const chunk = Math.min(left, tokens, this.budgetTokens);
    if (chunk <= 0) return 0;
    if (this.blocksFor(this.table.prefilledTokens[request] + chunk) - this.blocks[i] > this.freeBlocks)
      return NO_BLOCKS;
    this.planPrefill(i, chunk);
    return chunk;
  }

  admit(request: number, tokens: number): number {
    const table = this.table;
    if (table.state[request] !== WAITING || this.runningCount >= this.maxNumSeqs || this.budgetTokens <= 0) return 0;
    const ownBlocks = this.reservationOf(request);
    if (this.scheduler.admission === "reserve" && this.reservedBlocks + ownBlocks > this.kvBlocks) return NO_BLOCKS;
    const brought = table.prefilledTokens[request];
    const found = this.cache !== null && brought === 0 ? this.matchPrefix(request) : 0;
    const foundFree = found > 0 ? this.cache!.foundFree : 0;
    const done = brought > 0 ? brought : found * this.blockTokens;
    // With all but the newest token's keys and values there it goes on decoding at once.
    const decodes = brought > 0 && table.generated[request] > 0 && brought === table.prefillTokens[request] - 1;
    const chunk = decodes
      ? this.decodeTokens
      : Math.min(table.prefillTokens[request] - done, tokens, this.budgetTokens);
    if (chunk <= 0) return 0;
    const blocks = decodes ? this.blocksToDecode(request, table.prefillTokens[request]) : this.blocksFor(done + chunk);
    if (blocks - found + foundFree > this.freeBlocks) return NO_BLOCKS;

    this.line.remove(request);
    const i = this.join(request);
    this.reservedBlocks += ownBlocks;
    this.unchanged = false;
    if (found > 0) {
      this.cache!.holdFound(this.held[i]!);
      this.blocks[i] = this.named[i] = found;
      table.prefilledTokens[request] = done;
      this.prefixTokensFound += done;
    }
    if (this.cache !== null && brought === 0) this.prefixTokensAsked += table.prefillTokens[request];
    if (brought > 0) this.restore(i, brought);
    if (table.next[request] === 0 && !decodes)
      this.line.charge(table.classIndex[request], table.prefillTokens[request] - done, 0);
    table.next[request] = 1;
    table.state[request] = this.phase[i] = decodes ? DECODING : PREFILLING;
    if (decodes) this.planDecode(i);
    else this.planPrefill(i, chunk);
    return chunk;
  }

  preempt(request: number): void {
    const table = this.table;
    const i = this.placeOf(request);
    const decoding = this.isDecoding(request);
    this.unplan(i);
    const tokens = decoding ? this.context[i] - 1 : table.prefilledTokens[request];
    const key = this.key[i];
    const ticket = this.ticket[i];
    this.remove(i, true);
    table.state[request] = WAITING;
    table.prefillTokens[request] = table.inputTokens[request] + table.generated[request];
    table.nextAtStep[request] = table.prefilledTokens[request] = this.moveToHost(tokens) ? tokens : 0;
    this.line.pushPreempted(request, key, ticket);
    this.preemptions++;
    this.unchanged = false;
    this.prefillCursor = 0;
  }

  padDecodesTo(sequences: number): void {
    this.seats = Math.min(sequences, this.maxNumSeqs);
  }

  wakeAt(timeS: number): void {
    this.wakeS = timeS;
  }

  // ---------------------------------------------------------------- what the replica does with it

  /** A fresh step at `nowS`. */
  open(): void {
    this.does.fill(NOTHING, 0, this.runningCount);
    this.chunk.fill(0, 0, this.runningCount);
    this.budgetTokens = this.maxNumBatchedTokens;
    this.decodeCount = this.decodeContext = this.prefillTokens = this.attendedPairs = this.seats = this.transferS = 0;
    this.prefillCursor = 0;
    this.wakeS = Infinity;
    this.unchanged = true;
    this.sawFreeCached = false;
    this.line.settle();
  }

  /** Tokens in the KV cache during the step, those that it computes included, what is shared counted once. */
  heldTokens(): number {
    const { prefilledTokens } = this.table;
    const { slots, phase, context, does, runningCount } = this;
    let tokens = this.cache === null ? 0 : -this.cache.sharedBlocks * this.blockTokens;
    // All that decode have their newest token to compute: who stalls does not hold it yet.
    if (this.decodeCount === runningCount) return tokens + this.decodeContext;
    for (let i = 0; i < runningCount; i++) {
      if (phase[i] === PREFILLING) tokens += prefilledTokens[slots[i]];
      else tokens += does[i] === DECODE ? context[i] : context[i] - 1;
    }
    return tokens;
  }

  /** How many steps of decodes only the free blocks last for, the one that was formed included, up to `most`. */
  stepsAffordable(most: number): number {
    const more = most - 1;
    if (this.runningCount * ((more >> this.blockShift) + 1) <= this.freeBlocks) return most;
    // Sequences by how many further tokens their last block has room for.
    const phases = this.phases.fill(0);
    const mask = this.blockTokens - 1;
    for (let i = 0; i < this.runningCount; i++) phases[-this.context[i] & mask]++;
    const cycles = Math.floor(this.freeBlocks / this.runningCount);
    let left = this.freeBlocks - cycles * this.runningCount;
    let steps = 0;
    while (steps <= mask) {
      left -= phases[steps];
      if (left < 0) break;
      steps++;
    }
    return Math.min(most, 1 + cycles * this.blockTokens + steps);
  }

  /** Blocks for `tokens` more of every sequence, beyond those of the step that was formed. */
  grow(tokens: number): void {
    const { blocks, context, runningCount } = this;
    for (let i = 0; i < runningCount; i++) {
      const more = this.blocksFor(context[i] + tokens) - blocks[i];
      if (more > 0) this.take(i, more);
    }
  }

  /** Takes the i-th out of the batch and frees its blocks; `comesBack`: it is preempted. */
  remove(i: number, comesBack = false): void {
    const slot = this.slots[i];
    this.writeBack(i);
    this.reservedBlocks -= this.reservationOf(slot);
    const held = this.held[i];
    if (this.cache === null) this.free += this.blocks[i];
    else {
      const tokens = this.phase[i] === DECODING ? this.context[i] - 1 : this.table.prefilledTokens[slot];
      this.nameUpTo(i, tokens, this.namesAll || this.again[i] === 1 || comesBack);
      this.cache.release(held!);
    }
    const last = --this.runningCount;
    const { slots, phase, context, left, lastTokenS, classOf, does, chunk, blocks, key, ticket } = this;
    const { heapSlot } = this.table;
    for (let j = i; j < last; j++) {
      const next = j + 1;
      heapSlot[(slots[j] = slots[next])] = j;
      phase[j] = phase[next];
      context[j] = context[next];
      left[j] = left[next];
      lastTokenS[j] = lastTokenS[next];
      classOf[j] = classOf[next];
      does[j] = does[next];
      chunk[j] = chunk[next];
      blocks[j] = blocks[next];
      key[j] = key[next];
      ticket[j] = ticket[next];
    }
    if (this.cache !== null) {
      this.admission.copyWithin(i, i + 1, last + 1);
      this.named.copyWithin(i, i + 1, last + 1);
      this.again.copyWithin(i, i + 1, last + 1);
      this.held.splice(i, 1);
      this.held.push(held!);
    }
  }

  /** A request that waits goes away for good. */
  leaveQueue(slot: number): void {
    this.line.remove(slot);
    this.onHostTokens -= this.table.nextAtStep[slot];
  }

  /** What the table must know of the i-th when it stops running. */
  private writeBack(i: number): void {
    const table = this.table;
    const slot = this.slots[i];
    table.generated[slot] = this.context[i] - table.inputTokens[slot];
    table.lastTokenS[slot] = this.lastTokenS[i];
  }

  /** Everything in it is lost. */
  clear(): void {
    for (let i = 0; i < this.runningCount; i++) this.writeBack(i);
    this.runningCount = this.reservedBlocks = this.onHostTokens = 0;
    this.free = this.kvBlocks;
    this.cache?.clear();
    for (const blocks of this.held) blocks.length = 0;
    this.line.clear();
  }

  // ---------------------------------------------------------------- blocks

  private blocksFor(tokens: number): number {
    return (tokens + this.blockTokens - 1) >> this.blockShift;
  }

  /** Blocks for a decode: its context and the drafts, but never beyond the longest answer allowed nor more than there are. */
  private blocksToDecode(slot: number, context: number): number {
    if (this.decodeTokens === 1) return this.blocksFor(context);
    const { inputTokens, maxOutputTokens } = this.table;
    const longest = Math.max(context, inputTokens[slot] + maxOutputTokens[slot] - 1);
    return Math.min(this.blocksFor(Math.min(context + this.decodeTokens - 1, longest)), this.kvBlocks);
  }

  private decodeBlocks(i: number): number {
    const need = this.blocksToDecode(this.slots[i], this.context[i]) - this.blocks[i];
    return need > 0 ? need : 0;
  }

  private take(i: number, blocks: number): void {
    if (blocks <= 0) return;
    if (blocks > this.freeBlocks) throw new InvariantError("INV-4", { blocks, free: this.freeBlocks });
    const from = this.blocks[i];
    this.blocks[i] = from + blocks;
    if (this.cache === null) this.free -= blocks;
    else for (let b = 0; b < blocks; b++) this.held[i]!.push(this.cache.take(this.admission[i], from + b));
  }

  /**
   * Names the whole blocks of the first `tokens` tokens of the i-th. Blocks that it alone can ask for get their names when it is
   * first preempted, for it will ask then; under lru, where a name does not change who makes room.
   */
  private nameUpTo(i: number, tokens: number, ownToo = this.namesAll || this.again[i] === 1): void {
    const ordinal = this.table.ordinal[this.slots[i]];
    const classIndex = this.table.classIndex[this.slots[i]];
    const whole = tokens >> this.blockShift;
    const held = this.held[i]!;
    let block = this.named[i];
    for (; block < whole; block++) {
      const key = this.content.key(ordinal, classIndex, block);
      if (key >= OWN_KEYS && !ownToo) break;
      this.cache!.name(held[block]!, key);
    }
    this.named[i] = block;
  }

  /** Blocks that will not be computed after all lose their names, but for those that a sequence of this step has found already. */
  private forgetFrom(i: number, block: number): void {
    for (let b = block; b < this.named[i]; b++) this.cache!.forget(this.held[i]![b]!);
    this.named[i] = Math.min(this.named[i], block);
  }

  /** Whole blocks of the context that the cache holds; at least one token is always left to compute. */
  private matchPrefix(request: number): number {
    const most = (this.table.prefillTokens[request] - 1) >> this.blockShift;
    const found = this.cache!.match(this.content, this.table.ordinal[request], this.table.classIndex[request], most);
    if (this.cache!.foundFree > 0) this.sawFreeCached = true;
    return found;
  }

  /** Blocks for the longest answer that the client allows, under reserving admission; of one that is handed on for its prompt. */
  private reservationOf(request: number): number {
    if (this.scheduler.admission !== "reserve") return 0;
    const { inputTokens, maxOutputTokens } = this.table;
    const answer = this.scheduler.role === "prefill" ? 1 : maxOutputTokens[request];
    const longest = Math.min(inputTokens[request] + answer - 1, this.maxModelLen);
    return Math.min(this.blocksFor(longest), this.kvBlocks);
  }

  private moveToHost(tokens: number): boolean {
    const { preemption, swapSpaceTokens, swapSPerToken } = this.scheduler;
    if (preemption !== "swap" || tokens === 0 || this.onHostTokens + tokens > swapSpaceTokens) return false;
    this.onHostTokens += tokens;
    this.swappedOutTokens += tokens;
    this.transferS += tokens * swapSPerToken;
    return true;
  }

  /** Blocks for the keys and values that come along, from the host or from a prefill replica. */
  private restore(i: number, tokens: number): void {
    const { nextAtStep } = this.table;
    const slot = this.slots[i];
    this.take(i, this.blocksFor(tokens));
    this.onHostTokens -= nextAtStep[slot];
    this.transferS += nextAtStep[slot] * this.scheduler.swapSPerToken;
    nextAtStep[slot] = 0;
  }

  // ---------------------------------------------------------------- the plan

  private planDecode(i: number): void {
    const need = this.decodeBlocks(i);
    if (need > 0) this.take(i, need);
    this.does[i] = DECODE;
    this.decodeCount++;
    this.decodeContext += this.context[i];
    this.budgetTokens -= this.decodeTokens;
  }

  private planPrefill(i: number, chunk: number): void {
    const table = this.table;
    const slot = this.slots[i];
    const done = table.prefilledTokens[slot];
    this.take(i, this.blocksFor(done + chunk) - this.blocks[i]);
    this.does[i] = PREFILL;
    this.chunk[i] = chunk;
    this.prefillTokens += chunk;
    this.attendedPairs += chunk * (done + chunk / 2);
    this.budgetTokens -= chunk;
    table.prefilledTokens[slot] = done + chunk;
    if (this.cache !== null) this.nameUpTo(i, done + chunk);
  }

  private unplan(i: number): void {
    if (this.does[i] === DECODE) {
      this.decodeCount--;
      this.decodeContext -= this.context[i];
      this.budgetTokens += this.decodeTokens;
    } else if (this.does[i] === PREFILL) {
      const chunk = this.chunk[i];
      const done = (this.table.prefilledTokens[this.slots[i]] -= chunk);
      this.prefillTokens -= chunk;
      this.attendedPairs -= chunk * (done + chunk / 2);
      this.budgetTokens += chunk;
      if (this.cache !== null) this.forgetFrom(i, done >> this.blockShift);
    }
    this.does[i] = NOTHING;
  }

  private placeOf(request: number): number {
    const i = this.table.heapSlot[request];
    if (this.slots[i] !== request || i >= this.runningCount)
      throw new InvariantError("INV-4", { request, reason: "a policy named a request that does not run" });
    return i;
  }

  private join(request: number): number {
    const i = this.runningCount++;
    if (i === this.slots.length) this.widen();
    const table = this.table;
    this.slots[i] = request;
    this.context[i] = table.inputTokens[request] + table.generated[request];
    this.left[i] = table.outputTokens[request] - table.generated[request];
    this.lastTokenS[i] = table.lastTokenS[request];
    this.classOf[i] = table.classIndex[request];
    this.does[i] = NOTHING;
    this.chunk[i] = this.blocks[i] = 0;
    this.key[i] = table.finishStep[request];
    this.ticket[i] = table.joinStep[request];
    table.heapSlot[request] = i;
    if (this.cache !== null) {
      this.admission[i] = ++this.admissions;
      this.named[i] = 0;
      this.again[i] = table.next[request];
      if (this.held.length <= i) this.held.push([]);
    }
    return i;
  }

  private widen(): void {
    const length = this.slots.length * 2;
    const int = (from: Int32Array): Int32Array => {
      const to = new Int32Array(length);
      to.set(from);
      return to;
    };
    const float = (from: Float64Array): Float64Array => {
      const to = new Float64Array(length);
      to.set(from);
      return to;
    };
    const byte = (from: Uint8Array): Uint8Array => {
      const to = new Uint8Array(length);
      to.set(from);
      return to;
    };
    this.slots = int(this.slots);
    this.phase = byte(this.phase);
    this.context = int(this.context);
    this.left = int(this.left);
    this.lastTokenS = float(this.lastTokenS);
    this.classOf = byte(this.classOf);
    this.chunk = int(this.chunk);
    this.blocks = int(this.blocks);
    this.named = int(this.named);
    this.again = byte(this.again);
    this.key = float(this.key);
    this.ticket = float(this.ticket);
    this.admission = float(this.admission);
    this.does = byte(this.does);
  }
}

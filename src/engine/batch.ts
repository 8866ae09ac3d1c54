/**
 * The batch of one replica and the step being formed for it: what a policy sees (`StepView`) and what its decisions cost in
 * budget, seats and KV blocks. Who decodes stands in `decoders.ts`, so that a step costs what changes in it and not the batch. Of the
 * table's columns `nextAtStep` is the tokens of a waiting one that the host holds, and `next` 1 once it was admitted. Lengths in tokens.
 *
 *   INV-4  referenced + free = kvBlocks.
 */
import { InvariantError } from "../kernel/errors.ts";
import { CachedContexts } from "./cached-contexts.ts";
import { longerFloats, longerInts } from "./columns.ts";
import { Decoders } from "./decoders.ts";
import { DraftDecoders } from "./draft-decoders.ts";
import { HandedOn } from "./handed-on.ts";
import { HostMemory } from "./host-memory.ts";
import { KvNeeds } from "./kv-needs.ts";
import { NO_BLOCKS, NONE, type OrderPlugin, type StepView } from "./policies/policy.ts";
import { notRunning, wholeChunk } from "./policy-faults.ts";
import type { PromptContent } from "./prompt-content.ts";
import { type ClassTraits, TableFacts } from "./request-facts.ts";
import type { RequestTable } from "./request-table.ts";
import type { SchedulerSpec } from "./scheduler-spec.ts";
import { Seats } from "./seats.ts";
import type { EngineSpec } from "./spec.ts";
import { WaitingLine } from "./waiting-line.ts";

export const WAITING = 0;
export const PREFILLING = 1;
export const DECODING = 2;
/** It has all tokens that it is to have here, and leaves at this boundary. */
const ENDED = 3;
export const CANCELLED = 4;

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

  /** Running sequences in order of admission. */
  slots: Int32Array = new Int32Array(16);
  readonly decoders: Decoders;
  readonly host: HostMemory;
  readonly handedOn = new HandedOn();
  /** Admitted in this step with keys and values that came along from a prefill replica. */
  readonly tookOver: number[] = [];
  /** Those with their prompt incomplete, in the same order. */
  prefills: Int32Array = new Int32Array(16);
  prefillCount = 0;
  private readonly seating = new Seats();
  // By seat.
  /** Number of its admission. */
  private admission: Float64Array = new Float64Array(16);
  /** The step that it was last planned for on its own, and its part of the prompt there. */
  private plannedIn: Float64Array = new Float64Array(16);
  private chunk: Int32Array = new Int32Array(16);
  /** With drafts: its blocks. */
  private blocks: Int32Array = new Int32Array(16);

  // The step.
  decodeCount = 0;
  /** Context that the decoding sequences attend to. */
  decodeContext = 0;
  prefillTokens = 0;
  attendedPairs = 0;
  prompts = 0;
  /** Sequences that a decode step is priced at, if more than decode. */
  seats = 0;
  wakeS = Infinity;
  /** Nobody was admitted or preempted. */
  unchanged = true;
  /** A waiting request was looked at with cached blocks that nobody references: they may be gone at the next step. */
  sawFreeCached = false;

  // Sums since the start.
  preemptions = 0;
  prefixTokensFound = 0;
  prefixTokensAsked = 0;

  private readonly scheduler: SchedulerSpec;
  readonly cached: CachedContexts | null;
  private readonly lastAdmittedFirst: boolean;
  private readonly blockShift: number;
  /** Tokens of a decode in the budget, and the blocks it may need: one and the drafts. */
  readonly decodeTokens: number;
  private readonly needs: KvNeeds;
  private free: number;
  private reservedBlocks = 0;
  private admissions = 0;
  private prefillCursor = 0;
  private step = 1;
  /** Everybody who decodes does so in the step. */
  private allDecode = false;

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
    this.host = new HostMemory(scheduler);
    this.maxNumSeqs = spec.maxNumSeqs;
    this.maxNumBatchedTokens = spec.maxNumBatchedTokens;
    this.longestChunkTokens =
      spec.longPrefillTokenThreshold > 0 ? spec.longPrefillTokenThreshold : spec.maxNumBatchedTokens;
    this.blockTokens = spec.blockTokens;
    this.blockShift = 31 - Math.clz32(spec.blockTokens);
    this.kvBlocks = spec.kvBlocks;
    this.free = spec.kvBlocks;
    const { prefixCache } = scheduler;
    this.cached = prefixCache === null ? null : new CachedContexts(spec, prefixCache.eviction, content, table);
    this.lastAdmittedFirst = order.victim === "last-admitted";
    const { speculative } = scheduler;
    const exact = speculative?.mode === "exact";
    const drafts = exact ? new DraftDecoders(table, classes.length, luckKey, speculative) : null;
    this.decodeTokens = drafts?.tokensAtMost ?? 1;
    this.needs = new KvNeeds(spec, scheduler, this.decodeTokens, table);
    this.decoders = new Decoders(table, spec.blockTokens, classes.length, drafts);
    this.line = new WaitingLine(order, orderOptions, this, table, classes.length);
  }

  get waitingCount(): number {
    return this.line.count;
  }

  get freeBlocks(): number {
    return this.cached === null ? this.free : this.cached.cache.free;
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
    return this.isDecoding(request) ? this.decoders.generated(request) : this.table.generated[request];
  }

  prefillTokensLeft(request: number): number {
    const table = this.table;
    if (this.isDecoding(request)) return 0;
    const left = table.prefillTokens[request] - table.prefilledTokens[request];
    if (this.cached === null || table.state[request] !== WAITING || table.prefilledTokens[request] > 0) return left;
    return left - this.matchPrefix(request) * this.blockTokens;
  }

  nextPrefill(): number {
    for (; this.prefillCursor < this.prefillCount; this.prefillCursor++) {
      const request = this.prefills[this.prefillCursor];
      if (this.plannedIn[this.table.seat[request]] !== this.step) return request;
    }
    return NONE;
  }

  victim(): number {
    if (this.lastAdmittedFirst) return this.slots[this.runningCount - 1];
    const { slots } = this;
    const { orderKey, orderTicket } = this.table;
    let worst = slots[0];
    for (let i = 1; i < this.runningCount; i++) {
      const slot = slots[i];
      const later = orderKey[slot] - orderKey[worst] || orderTicket[slot] - orderTicket[worst];
      if (later > 0) worst = slot;
    }
    return worst;
  }

  // ---------------------------------------------------------------- what it decides

  decodeAll(): boolean {
    if (this.allDecode) return true;
    const { decoders } = this;
    if (this.decodeCount > 0 || this.decodeTokens > 1) return this.decodeOthers();
    const need = decoders.blocksForNext();
    if (need > this.freeBlocks) return false;
    this.takeFree(need);
    this.decodeCount = decoders.count;
    this.decodeContext = decoders.contextTokens;
    this.budgetTokens -= decoders.count;
    this.allDecode = true;
    return true;
  }

  decode(request: number): boolean {
    const seat = this.seatOf(request);
    if (!this.isDecoding(request) || this.plans(request)) return false;
    if (this.budgetTokens <= 0 || this.decodeBlocks(request, seat) > this.freeBlocks) return false;
    this.planDecode(request, seat);
    return true;
  }

  prefill(request: number, tokens: number): number {
    const seat = this.seatOf(request);
    if (this.isDecoding(request) || this.plans(request)) return 0;
    const done = this.table.prefilledTokens[request];
    const most = Math.min(this.table.prefillTokens[request] - done, tokens, this.budgetTokens);
    const chunk = wholeChunk(this.scheduler.batching.name, tokens, most);
    if (chunk <= 0) return 0;
    if (this.needs.of(done + chunk) - this.needs.of(done) > this.freeBlocks) return NO_BLOCKS;
    this.planPrefill(request, seat, chunk);
    return chunk;
  }

  admit(request: number, tokens: number): number {
    const table = this.table;
    if (table.state[request] !== WAITING || this.runningCount >= this.maxNumSeqs || this.budgetTokens <= 0) return 0;
    const ownBlocks = this.needs.reserved(request);
    if (this.scheduler.admission === "reserve" && this.reservedBlocks + ownBlocks > this.kvBlocks) return NO_BLOCKS;
    const brought = table.prefilledTokens[request];
    const found = this.cached !== null && brought === 0 ? this.matchPrefix(request) : 0;
    const foundFree = found > 0 ? this.cached!.cache.foundFree : 0;
    const done = brought > 0 ? brought : found * this.blockTokens;
    // With all but the newest token's keys and values there it goes on decoding at once.
    const decodes = brought > 0 && table.generated[request] > 0 && brought === table.prefillTokens[request] - 1;
    const most = decodes ? this.decodeTokens : Math.min(table.prefillTokens[request] - done, tokens, this.budgetTokens);
    const chunk = wholeChunk(this.scheduler.batching.name, tokens, most);
    if (chunk <= 0) return 0;
    const blocks = decodes ? this.needs.toDecode(request, table.prefillTokens[request]) : this.needs.of(done + chunk);
    if (blocks - found + foundFree > this.freeBlocks) return NO_BLOCKS;

    this.line.remove(request);
    const seat = this.join(request);
    this.reservedBlocks += ownBlocks;
    this.unchanged = false;
    if (found > 0) {
      this.cached!.holdFound(seat);
      this.blocks[seat] = found;
      table.prefilledTokens[request] = done;
      this.prefixTokensFound += done;
    }
    if (this.cached !== null && brought === 0) this.prefixTokensAsked += table.prefillTokens[request];
    if (brought > 0) this.restore(request, seat, brought);
    if (decodes && table.next[request] === 0) this.tookOver.push(request);
    if (table.next[request] === 0 && !decodes)
      this.line.charge(table.classIndex[request], table.prefillTokens[request] - done, 0);
    table.next[request] = 1;
    if (decodes) {
      table.state[request] = DECODING;
      this.decoders.join(request);
      this.planDecode(request, seat);
    } else {
      table.state[request] = PREFILLING;
      this.prefills[this.prefillCount++] = request;
      this.planPrefill(request, seat, chunk);
    }
    return chunk;
  }

  preempt(request: number): void {
    const table = this.table;
    const seat = this.seatOf(request);
    // Kept: all that is computed before this step.
    const tokens = this.isDecoding(request)
      ? this.decoders.context(request) - 1
      : table.prefilledTokens[request] - (this.plans(request) ? this.chunk[seat] : 0);
    this.leave(request, 0, true);
    table.state[request] = WAITING;
    table.prefillTokens[request] = table.inputTokens[request] + table.generated[request];
    table.nextAtStep[request] = table.prefilledTokens[request] = this.host.swapOut(tokens) ? tokens : 0;
    this.line.pushPreempted(request);
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
    this.close();
    this.budgetTokens = this.maxNumBatchedTokens;
    this.decodeCount = this.decodeContext = this.prefillTokens = this.attendedPairs = this.prompts = this.seats = 0;
    this.host.transferS = 0;
    this.prefillCursor = 0;
    this.wakeS = Infinity;
    this.unchanged = true;
    this.sawFreeCached = false;
    this.line.settle();
  }

  /** The step that was formed is over: who had a token in it has it. */
  close(): void {
    this.step++;
    this.allDecode = false;
  }

  /** Whether a running sequence has a part in the step. */
  plans(slot: number): boolean {
    return this.plannedIn[this.table.seat[slot]] === this.step || (this.allDecode && this.isDecoding(slot));
  }

  /** Whether it was planned on its own for the step that is over. */
  hadPart(slot: number): boolean {
    return this.plannedIn[this.table.seat[slot]] === this.step - 1;
  }

  /** Tokens in the KV cache of those in the batch during the step, those that it computes included, what is shared counted once. */
  heldTokens(): number {
    const { decoders, prefills, prefillCount, cached } = this;
    const { prefilledTokens } = this.table;
    // Who stalls does not hold its newest token yet.
    let tokens = decoders.contextTokens - (decoders.count - this.decodeCount);
    for (let i = 0; i < prefillCount; i++) tokens += prefilledTokens[prefills[i]];
    return cached === null ? tokens : tokens - cached.cache.sharedBlocks * this.blockTokens;
  }

  /** How many steps of decodes only the free blocks last for, the one that was formed included, up to `most`. */
  stepsAffordable(most: number): number {
    return this.decoders.stepsAffordable(most, this.freeBlocks);
  }

  /** Blocks for `tokens` more of everybody, beyond those of the step that was formed. */
  grow(tokens: number): void {
    this.takeFree(this.decoders.blocksAfterNext(tokens));
  }

  /** A prompt is complete and its first token, or the next after a preemption, is out at `nowS`: from now on it decodes. */
  turn(slot: number, nowS: number): void {
    this.leavePrefills(slot);
    this.table.state[slot] = DECODING;
    this.table.lastTokenS[slot] = nowS;
    this.decoders.join(slot);
  }

  /** It has all its tokens, and is to `leave`. */
  end(slot: number): void {
    if (this.isDecoding(slot)) this.decoders.leave(slot);
    else this.leavePrefills(slot);
    this.table.state[slot] = ENDED;
  }

  /** In order of admission. */
  admittedBefore(slot: number, other: number): boolean {
    const { seat } = this.table;
    return this.admission[seat[slot]] < this.admission[seat[other]];
  }

  /** Takes a sequence out of the batch and frees its blocks; `unheard` of its tokens found no client, and one that `comesBack` is preempted. */
  leave(slot: number, unheard = 0, comesBack = false): void {
    const blocks = this.takeOut(slot, unheard, comesBack);
    this.giveBack(this.table.seat[slot], blocks, this.needs.reserved(slot));
  }

  /** Takes a sequence out that is handed on: its blocks and its seat stay taken until they are let go of. */
  handOn(slot: number): void {
    const tokens = this.table.inputTokens[slot] + this.table.generated[slot] - 1;
    const blocks = this.takeOut(slot, 0, false);
    this.handedOn.keep(slot, { seat: this.table.seat[slot], blocks, reserved: this.needs.reserved(slot), tokens });
  }

  /** Frees the blocks of one that was handed on, if it still has them. */
  letGo(slot: number): void {
    const kept = this.handedOn.take(slot);
    if (kept !== undefined) this.giveBack(kept.seat, kept.blocks, kept.reserved);
  }

  /** A request that waits goes away for good. */
  leaveQueue(slot: number): void {
    this.line.remove(slot);
    this.host.drop(this.table.nextAtStep[slot]);
  }

  /** Everything in it is lost. */
  clear(): void {
    for (let i = this.runningCount - 1; i >= 0; i--)
      if (this.isDecoding(this.slots[i])) this.decoders.leave(this.slots[i]);
    this.seating.clear();
    this.handedOn.clear();
    this.runningCount = this.prefillCount = this.reservedBlocks = 0;
    this.free = this.kvBlocks;
    this.decoders.clear();
    this.cached?.clear();
    this.host.clear();
    this.line.clear();
    this.close();
  }

  // ---------------------------------------------------------------- blocks

  private blocksOf(slot: number, seat: number): number {
    if (this.decodeTokens > 1) return this.blocks[seat];
    const { state, prefilledTokens, inputTokens, generated } = this.table;
    if (this.isDecoding(slot)) return this.needs.of(this.decoders.context(slot) - (this.plans(slot) ? 0 : 1));
    return this.needs.of(state[slot] === ENDED ? inputTokens[slot] + generated[slot] - 1 : prefilledTokens[slot]);
  }

  /** Blocks that its next decode needs beyond those it has. */
  private decodeBlocks(slot: number, seat: number): number {
    const context = this.decoders.context(slot);
    const has = this.decodeTokens > 1 ? this.blocks[seat] : this.needs.of(context - 1);
    return Math.max(0, this.needs.toDecode(slot, context) - has);
  }

  private takeFree(blocks: number): void {
    if (blocks <= 0) return;
    if (blocks > this.freeBlocks) throw new InvariantError("INV-4", { blocks, free: this.freeBlocks });
    if (this.cached === null) this.free -= blocks;
    else this.cached.cache.take(blocks);
  }

  private take(seat: number, blocks: number): void {
    this.takeFree(blocks);
    this.blocks[seat] += blocks;
  }

  /** Whole blocks of the context that the cache holds; at least one token is always left to compute. */
  private matchPrefix(request: number): number {
    const found = this.cached!.match(request);
    if (this.cached!.cache.foundFree > 0) this.sawFreeCached = true;
    return found;
  }

  /** Blocks for the keys and values that come along, from the host or from a prefill replica. */
  private restore(slot: number, seat: number, tokens: number): void {
    const { nextAtStep } = this.table;
    this.take(seat, this.needs.of(tokens));
    this.host.swapIn(nextAtStep[slot]);
    nextAtStep[slot] = 0;
  }

  // ---------------------------------------------------------------- the plan

  /** `decodeAll` one by one: when some decode already, or each wants blocks of its own for drafts. */
  private decodeOthers(): boolean {
    const { slots, runningCount } = this;
    const { seat } = this.table;
    // No sequence needs more than this many blocks beyond those it has.
    const most = 1 + ((this.decodeTokens + this.blockTokens - 2) >> this.blockShift);
    if (runningCount * most > this.freeBlocks) {
      let need = 0;
      for (let i = 0; i < runningCount; i++)
        if (this.isDecoding(slots[i]) && !this.plans(slots[i])) need += this.decodeBlocks(slots[i], seat[slots[i]]);
      if (need > this.freeBlocks) return false;
    }
    const { drafts } = this.decoders;
    if (this.decodeCount === 0 && drafts !== null) {
      this.decodeCount = this.decoders.count;
      this.decodeContext = this.decoders.contextTokens;
      this.budgetTokens -= this.decodeCount * this.decodeTokens;
      for (let i = 0, wanting = drafts.takeTight(); i < wanting; i++) this.makeRoom(drafts, drafts.tight[i]);
    } else
      for (let i = 0; i < runningCount; i++)
        if (this.isDecoding(slots[i]) && !this.plans(slots[i])) this.planDecode(slots[i], seat[slots[i]]);
    this.allDecode = true;
    return true;
  }

  /** Blocks for the next decode of a row of `drafts`, and how long they do. */
  private makeRoom(drafts: DraftDecoders, row: number): void {
    const { seat, inputTokens } = this.table;
    const slot = drafts.slotAt(row);
    const at = seat[slot];
    const wanted = this.needs.toDecode(slot, inputTokens[slot] + drafts.generatedAt(row));
    if (wanted > this.blocks[at]) this.take(at, wanted - this.blocks[at]);
    drafts.makeRoomAt(row, (this.blocks[at] << this.blockShift) - inputTokens[slot] - this.decodeTokens + 1);
  }

  private planDecode(slot: number, seat: number): void {
    this.take(seat, this.decodeBlocks(slot, seat));
    this.plannedIn[seat] = this.step;
    this.decodeCount++;
    this.decodeContext += this.decoders.context(slot);
    this.budgetTokens -= this.decodeTokens;
  }

  private planPrefill(slot: number, seat: number, chunk: number): void {
    const done = this.table.prefilledTokens[slot];
    this.take(seat, this.needs.of(done + chunk) - this.needs.of(done));
    this.plannedIn[seat] = this.step;
    this.chunk[seat] = chunk;
    this.prefillTokens += chunk;
    this.prompts++;
    this.attendedPairs += chunk * (done + chunk / 2);
    this.budgetTokens -= chunk;
    this.table.prefilledTokens[slot] = done + chunk;
    this.cached?.nameUpTo(seat, slot, done + chunk, false);
  }

  private unplanPrefill(slot: number, seat: number): void {
    const chunk = this.chunk[seat];
    const done = (this.table.prefilledTokens[slot] -= chunk);
    this.prefillTokens -= chunk;
    this.prompts--;
    this.attendedPairs -= chunk * (done + chunk / 2);
    this.budgetTokens += chunk;
  }

  private leavePrefills(slot: number): void {
    const i = this.prefills.indexOf(slot);
    if (i < 0 || i >= this.prefillCount)
      throw new InvariantError("INV-4", { slot, reason: "its prompt is not under way" });
    this.prefills.copyWithin(i, i + 1, this.prefillCount--);
  }

  /** Of a sequence that the policy named. */
  private seatOf(request: number): number {
    const seat = this.table.seat[request];
    if (!(request >= 0) || !this.seating.holds(seat, request)) throw notRunning(this.scheduler.batching.name, request);
    return seat;
  }

  /** Out of the step, the batch and its order; returns its blocks, which are still taken. */
  private takeOut(slot: number, unheard: number, comesBack: boolean): number {
    const { table } = this;
    const seat = table.seat[slot];
    if (!this.seating.holds(seat, slot)) throw new InvariantError("INV-4", { slot, reason: "it does not run" });
    const blocks = this.blocksOf(slot, seat);
    let tokens: number;
    if (this.isDecoding(slot)) {
      tokens = this.decoders.context(slot) - 1;
      if (this.plans(slot)) {
        this.decodeCount--;
        this.decodeContext -= tokens + 1;
        this.budgetTokens += this.decodeTokens;
      }
      this.decoders.leave(slot);
      tokens -= unheard;
      table.generated[slot] -= unheard;
    } else if (table.state[slot] === ENDED) tokens = table.inputTokens[slot] + table.generated[slot] - 1;
    else {
      if (this.plans(slot)) this.unplanPrefill(slot, seat);
      this.leavePrefills(slot);
      tokens = table.prefilledTokens[slot];
    }
    this.cached?.settle(seat, slot, tokens, comesBack);
    const { slots } = this;
    let i = --this.runningCount;
    for (let moved = slots[i]; moved !== slot;) {
      i--;
      const next = slots[i];
      slots[i] = moved;
      moved = next;
    }
    this.seating.stopped(seat);
    return blocks;
  }

  private giveBack(seat: number, blocks: number, reserved: number): void {
    if (this.cached === null) this.free += blocks;
    else this.cached.release(seat, blocks);
    this.reservedBlocks -= reserved;
    this.seating.giveBack(seat);
  }

  private join(slot: number): number {
    if (this.seating.full) this.widen();
    const seat = this.seating.take(slot);
    this.slots[this.runningCount++] = slot;
    this.table.seat[slot] = seat;
    this.admission[seat] = ++this.admissions;
    this.blocks[seat] = this.plannedIn[seat] = 0;
    this.cached?.sit(seat, slot, this.admissions);
    return seat;
  }

  private widen(): void {
    const length = 2 * this.slots.length;
    this.seating.widen(length);
    this.slots = longerInts(this.slots, length);
    this.prefills = longerInts(this.prefills, length);
    this.chunk = longerInts(this.chunk, length);
    this.blocks = longerInts(this.blocks, length);
    this.admission = longerFloats(this.admission, length);
    this.plannedIn = longerFloats(this.plannedIn, length);
  }
}

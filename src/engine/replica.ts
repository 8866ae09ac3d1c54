/**
 * One replica of a model under vLLM V1's scheduling rules (continuous batching, chunked prefill under a token budget,
 * KV blocks, preemption by recompute), advanced by leaping: stretches of decode steps are one event, whatever their
 * length, and give the same times as walking every step. Times in simulated seconds, lengths in tokens.
 *
 * A step boundary, in this order:
 *   1. decoding sequences get one token each, partial prefills a chunk each in admission order, within the budget;
 *   2. if KV blocks run out the last admitted sequence is preempted: blocks freed, whole context recomputed later,
 *      front of the waiting queue; nothing is admitted in a step that preempted;
 *   3. waiting requests are admitted in order while budget, maxNumSeqs and free blocks last;
 *   4. at the end of the step each sequence whose prompt is complete has one more token.
 *
 *   INV-3  sent ≤ admitted ≤ first token ≤ last token.
 *   INV-4  allocated + free = kvBlocks.
 *   INV-6  never idle with admissible work.
 *
 * How leaping works. While every running sequence decodes and nothing can be admitted, step i of the stretch lasts
 * base + slope·i with base = a(D) + b·C, slope = b·D (D sequences, C tokens of context), so k steps last
 * k·base + slope·k(k−1)/2. Sequences are not touched in between: each knows the step count at which it finishes
 * (`completions.ts`), and how many need a new block at step s is `blockPhase[s mod blockTokens]`. Both sums give the blocks
 * held at any boundary, so none are counted on the way. A stretch is planned up to the first completion or KV exhaustion; an
 * arrival or cancellation cuts it at the first boundary at or after it.
 */
import { InvariantError } from "../kernel/errors.ts";
import { bucketOf } from "../kernel/sketch.ts";
import { longerInts } from "./columns.ts";
import { Completions } from "./completions.ts";
import type { EngineMeter, ReplicaSink } from "./meter.ts";
import type { ReplicaEngine } from "./replica-engine.ts";
import { NO_SLOT, type RequestTable } from "./request-table.ts";
import type { EngineSpec } from "./spec.ts";
import type { StepTime } from "./step-time.ts";
import { WaitingQueue } from "./waiting-queue.ts";

const IDLE = 0;
/** A step with prefill in it: visited on its own. */
const MIXED = 1;
/** Decode steps planned together. */
const STRETCH = 2;
/** Between two steps, to be formed when all arrivals of this instant are in. */
const BOUNDARY = 3;

const WAITING = 0;
const PREFILLING = 1;
const DECODING = 2;
const CANCELLED = 4;

export class Replica implements ReplicaEngine {
  /** End of the step or stretch under way; Infinity when idle. */
  dueS = Infinity;
  runningCount = 0;

  private mode = IDLE;
  private readonly table: RequestTable;
  private readonly stepTime: StepTime;
  private readonly decodeBaseS: Float64Array;
  private readonly perContextTokenS: number;
  private readonly sink: ReplicaSink;
  private readonly meter: EngineMeter;
  private readonly maxNumSeqs: number;
  private readonly maxNumBatchedTokens: number;
  private readonly longestChunk: number;
  private readonly blockShift: number;
  private readonly blockMask: number;

  private readonly kvBlocks: number;
  /** Free blocks as the step under way is formed; a lower bound where that is plenty for any step. */
  private freeBlocks = 0;
  /** More new blocks than a step can take. */
  private readonly plentyBlocks: number;
  private readonly waiting: WaitingQueue;
  private runningHead = NO_SLOT;
  private runningTail = NO_SLOT;

  /** Steps done since the replica was last empty. */
  private stepCount = 0;
  private decodeCount = 0;
  /** Context tokens that the decoding sequences attend to in their next step, in all. */
  private contextTokens = 0;
  private readonly decodesByClass: Int32Array;
  /** How many decoding sequences need a new block at steps ≡ index (mod blockTokens). */
  private readonly blockPhase: Int32Array;
  private readonly completions: Completions;

  /** Partial prefills in admission order. */
  private prefills: Int32Array = new Int32Array(16);
  private prefillCount = 0;
  private prefilledTokens = 0;
  private prefillBlocks = 0;
  private cancelled: number[] = [];

  // The step or stretch under way.
  private startS = 0;
  private baseS = 0;
  private slopeS = 0;
  private plannedSteps = 0;
  private bookedUntilS = -Infinity;
  private bookedKvTokenS = 0;

  constructor(
    spec: EngineSpec,
    stepTime: StepTime,
    table: RequestTable,
    sink: ReplicaSink,
    meter: EngineMeter,
    classes: number,
  ) {
    this.table = table;
    this.waiting = new WaitingQueue(table);
    this.stepTime = stepTime;
    this.decodeBaseS = stepTime.decodeBaseS;
    this.perContextTokenS = stepTime.perContextTokenS;
    this.sink = sink;
    this.meter = meter;
    this.maxNumSeqs = spec.maxNumSeqs;
    this.maxNumBatchedTokens = spec.maxNumBatchedTokens;
    this.longestChunk = spec.longPrefillTokenThreshold > 0 ? spec.longPrefillTokenThreshold : spec.maxNumBatchedTokens;
    this.blockShift = 31 - Math.clz32(spec.blockTokens);
    this.blockMask = spec.blockTokens - 1;
    this.kvBlocks = spec.kvBlocks;
    this.plentyBlocks = (spec.maxNumBatchedTokens >> this.blockShift) + spec.maxNumSeqs + 1;
    this.decodesByClass = new Int32Array(classes);
    this.blockPhase = new Int32Array(spec.blockTokens);
    this.completions = new Completions(table);
  }

  get waitingCount(): number {
    return this.waiting.count;
  }

  get inFlight(): number {
    return this.waiting.count + this.runningCount;
  }

  /** Free blocks at a boundary: the others are what the sequences hold, each filled up to a whole block by what its phase says. */
  get freeKvBlocks(): number {
    const { blockPhase, blockMask, stepCount } = this;
    let tokens = this.contextTokens - this.decodeCount;
    for (let phase = 0; phase <= blockMask; phase++) tokens += blockPhase[phase] * ((phase - stepCount) & blockMask);
    return this.kvBlocks - this.prefillBlocks - (tokens >> this.blockShift);
  }

  /** Between two steps: `form` is due. */
  get atBoundary(): boolean {
    return this.mode === BOUNDARY;
  }

  /**
   * Puts a request at the end of the waiting queue at `attemptS` of its slot. True when `dueS` changed: a stretch was cut, or the idle replica is
   * at a boundary now and wants `form` once all arrivals of this instant are in.
   */
  enqueue(slot: number): boolean {
    const table = this.table;
    table.state[slot] = WAITING;
    table.generated[slot] = 0;
    table.prefillTokens[slot] = table.inputTokens[slot];
    table.prefilledTokens[slot] = 0;
    this.waiting.pushBack(slot);
    if (this.mode === IDLE) {
      this.mode = BOUNDARY;
      this.dueS = table.attemptS[slot];
      return true;
    }
    // Behind others that could not be admitted it can't be either, nor into a full batch: the stretch goes on.
    return this.waiting.count === 1 && this.runningCount < this.maxNumSeqs && this.cutStretch(table.attemptS[slot]);
  }

  /**
   * The client gave up. A waiting request leaves at once, and so does a running one when the replica stands at a boundary
   * (true: the slot is the caller's again); else it leaves at the next boundary, through `sink.dropped`. Check `dueS`
   * afterwards.
   */
  cancel(slot: number, nowS: number): boolean {
    const table = this.table;
    if (table.state[slot] === WAITING) {
      const wasHead = slot === this.waiting.head;
      this.waiting.remove(slot);
      // The request behind a blocked head may fit where the head did not.
      if (wasHead && this.waiting.head !== NO_SLOT) this.cutStretch(nowS);
      return true;
    }
    if (this.mode === BOUNDARY) {
      this.leaveBatch(slot);
      return true;
    }
    table.state[slot] |= CANCELLED;
    this.cancelled.push(slot);
    this.cutStretch(nowS);
    return false;
  }

  /** The replica dies: everything in it is lost, the step under way too. */
  fail(nowS: number): void {
    if (this.mode === MIXED || this.mode === STRETCH) this.bookUntil(nowS);
    // Tokens of the steps that ended before the failure are out.
    if (this.mode === STRETCH) this.countSteps(this.stepsUntil(nowS) - 1);
    const table = this.table;
    const running = this.runningHead;
    const waiting = this.waiting.head;
    this.reset();
    // The sink may send a lost request on at once, so its link is read before it hears of it.
    for (let slot = running; slot !== NO_SLOT;) {
      const next = table.next[slot];
      if ((table.state[slot] & CANCELLED) !== 0) this.sink.dropped(slot);
      else this.sink.lost(slot);
      slot = next;
    }
    for (let slot = waiting; slot !== NO_SLOT;) {
      const next = table.next[slot];
      this.sink.lost(slot);
      slot = next;
    }
  }

  /** Ends the step or stretch under way; its end is `dueS`. Then the replica is at a boundary and wants `form`. */
  finish(): void {
    const nowS = this.dueS;
    const steps = this.plannedSteps;
    this.bookUntil(nowS);
    this.meter.boundaries++;
    this.countSteps(steps);
    this.contextTokens += this.decodeCount * steps;
    this.stepCount = (this.stepCount + steps) | 0;
    this.bookedUntilS = -Infinity;
    this.bookedKvTokenS = 0;
    const wasMixed = this.mode === MIXED;
    if (wasMixed) this.advancePrefills();
    this.mode = BOUNDARY;
    if (this.cancelled.length > 0) this.dropCancelled(wasMixed);
    const completions = this.completions;
    for (;;) {
      const slot = completions.finishingAt(this.stepCount);
      if (slot === NO_SLOT) break;
      this.leaveBatch(slot);
      this.table.lastTokenS[slot] = nowS;
      this.sink.completed(slot);
    }
  }

  /** Forms the next step at the boundary `dueS`; afterwards `dueS` is its end, or Infinity when there is nothing to do. */
  form(): void {
    const nowS = this.dueS;
    const phase = this.stepCount & this.blockMask;
    const blockPhase = this.blockPhase;
    this.startS = nowS;
    let preempted = false;
    this.freeBlocks = this.leastFreeBlocks();
    if (this.freeBlocks < this.plentyBlocks) this.freeBlocks = this.freeKvBlocks;
    while (blockPhase[phase] > this.freeBlocks) {
      this.preemptLast();
      preempted = true;
    }
    if (this.prefillCount > 0 || (this.waiting.head !== NO_SLOT && !preempted && this.runningCount < this.maxNumSeqs)) {
      // Decodes come first: their blocks of this step are taken before any chunk's.
      this.freeBlocks -= blockPhase[phase];
      if (this.scheduleChunks(phase, preempted)) return;
      this.freeBlocks += blockPhase[phase];
      preempted = this.preemptedNow;
    }
    if (this.decodeCount === 0) {
      if (this.waiting.head !== NO_SLOT) throw new InvariantError("INV-6", { nowS, waiting: this.waiting.count });
      this.mode = IDLE;
      this.dueS = Infinity;
      this.stepCount = 0;
      return;
    }
    this.baseS = this.decodeBaseS[this.decodeCount] + this.perContextTokenS * this.contextTokens;
    this.slopeS = this.perContextTokenS * this.decodeCount;
    let steps = 1;
    if (!preempted) {
      steps = this.completions.stepsToNext(this.stepCount);
      // Cheap bound first: a step needs at most one block for each sequence and blockTokens steps.
      if (this.decodeCount * ((steps >> this.blockShift) + 1) > this.freeBlocks) {
        this.freeBlocks = this.freeKvBlocks;
        const affordable = this.stepsAffordable();
        if (affordable < steps) steps = affordable;
      }
    }
    this.mode = STRETCH;
    this.plannedSteps = steps;
    this.dueS = nowS + this.spanS(steps);
  }

  /** Books busy time and integrals of the step under way up to `timeS`, which lies within it: called at the edge of a window. */
  bookUntil(timeS: number): void {
    if (this.mode !== MIXED && this.mode !== STRETCH) return;
    const meter = this.meter;
    const elapsedS = timeS - (this.bookedUntilS > this.startS ? this.bookedUntilS : this.startS);
    meter.busyS += elapsedS;
    meter.occupancySeqS += this.runningCount * elapsedS;
    let kvTokenS: number;
    if (this.mode === MIXED) {
      kvTokenS = (this.contextTokens + this.prefilledTokens) * (timeS - this.startS);
    } else {
      const steps = timeS === this.dueS ? this.plannedSteps : this.stepsDoneBy(timeS);
      const done = this.spanS(steps);
      const inStep = timeS === this.dueS ? 0 : timeS - this.startS - done;
      kvTokenS =
        this.kvTokenSeconds(steps) +
        (this.contextTokens + steps * this.decodeCount) * inStep +
        this.prefilledTokens * (done + inStep);
    }
    meter.kvTokenS += kvTokenS - this.bookedKvTokenS;
    this.bookedKvTokenS = kvTokenS;
    this.bookedUntilS = timeS;
  }

  // ---------------------------------------------------------------- forming a step

  private preemptedNow = false;

  /** Gives chunks to partial prefills and admits; true when the step has prefill in it and is under way. */
  private scheduleChunks(phase: number, preempted: boolean): boolean {
    const { table, prefills } = this;
    let budget = this.maxNumBatchedTokens - this.decodeCount;
    let prefillTokens = 0;
    let attendedPairs = 0;
    let prompts = 0;
    for (let i = 0; i < this.prefillCount; i++) {
      const slot = prefills[i];
      const done = table.prefilledTokens[slot];
      let chunk = table.prefillTokens[slot] - done;
      if (chunk > this.longestChunk) chunk = this.longestChunk;
      if (chunk > budget) chunk = budget;
      if (chunk === 0) continue;
      const need = this.blocks(done + chunk) - this.blocks(done);
      while (need > this.freeBlocks && this.runningTail !== slot) {
        const before = this.decodeCount;
        const needed = this.blockPhase[phase];
        this.preemptLast();
        preempted = true;
        if (this.decodeCount < before) budget++; // its token of this step goes back
        this.freeBlocks += needed - this.blockPhase[phase]; // and its block of this step
      }
      if (need > this.freeBlocks) {
        this.preemptLast();
        preempted = true;
        break;
      }
      this.freeBlocks -= need;
      this.prefillBlocks += need;
      budget -= chunk;
      prefillTokens += chunk;
      attendedPairs += chunk * (done + chunk / 2);
      prompts++;
      table.prefilledTokens[slot] = done + chunk;
      this.prefilledTokens += chunk;
    }
    if (!preempted) {
      while (budget > 0 && this.runningCount < this.maxNumSeqs) {
        const slot = this.waiting.head;
        if (slot === NO_SLOT) break;
        let chunk = table.prefillTokens[slot];
        if (chunk > this.longestChunk) chunk = this.longestChunk;
        if (chunk > budget) chunk = budget;
        const need = this.blocks(chunk);
        if (need > this.freeBlocks) break;
        this.admit(slot, chunk);
        this.freeBlocks -= need;
        this.prefillBlocks += need;
        budget -= chunk;
        prefillTokens += chunk;
        attendedPairs += (chunk * chunk) / 2;
        prompts++;
      }
    }
    this.preemptedNow = preempted;
    if (prefillTokens === 0) return false;
    const durationS = this.stepTime.mixedS(this.decodeCount, this.contextTokens, prefillTokens, attendedPairs, prompts);
    this.meter.prefillTokens += prefillTokens;
    this.mode = MIXED;
    this.plannedSteps = 1;
    this.dueS = this.startS + durationS;
    return true;
  }

  private admit(slot: number, chunk: number): void {
    const table = this.table;
    this.waiting.remove(slot);
    table.previous[slot] = this.runningTail;
    table.next[slot] = NO_SLOT;
    if (this.runningTail === NO_SLOT) this.runningHead = slot;
    else table.next[this.runningTail] = slot;
    this.runningTail = slot;
    this.runningCount++;
    table.state[slot] = PREFILLING;
    table.prefilledTokens[slot] = chunk;
    this.prefilledTokens += chunk;
    if (this.prefillCount === this.prefills.length) this.prefills = longerInts(this.prefills, 2 * this.prefillCount);
    this.prefills[this.prefillCount++] = slot;
  }

  /** Preempts the last admitted sequence: its blocks are freed and its whole context is to be recomputed. */
  private preemptLast(): void {
    const table = this.table;
    const slot = this.runningTail;
    const decoded = table.state[slot] === DECODING;
    this.freeBlocks += this.blocks(this.leaveBatch(slot));
    if (decoded) {
      table.generated[slot] += (this.stepCount - table.joinStep[slot]) | 0;
      table.lastTokenS[slot] = this.startS;
    }
    table.state[slot] = WAITING;
    table.prefillTokens[slot] = table.inputTokens[slot] + table.generated[slot];
    table.prefilledTokens[slot] = 0;
    this.waiting.pushFront(slot);
    this.meter.preemptions++;
  }

  // ---------------------------------------------------------------- ending a step

  /** Counts the first k steps of what is under way, and the gaps between tokens that they make. */
  private countSteps(k: number): void {
    const meter = this.meter;
    meter.steps += k;
    if (k === 0 || this.decodeCount === 0) return;
    // A stretch's steps hardly ever leave one bucket, so its index is found once for all classes.
    const firstS = this.mode === MIXED ? this.dueS - this.startS : this.baseS;
    const bucket = bucketOf(firstS);
    if (k > 1 && bucketOf(firstS + this.slopeS * (k - 1)) !== bucket) {
      this.countRamp(k);
      return;
    }
    const sumS = k === 1 ? firstS : this.spanS(k);
    const { decodesByClass } = this;
    for (let c = 0; c < decodesByClass.length; c++) {
      const count = decodesByClass[c];
      if (count > 0) meter.itlS[c].addToBucket(bucket, k * count, count * sumS);
    }
  }

  /** The same of k steps of a stretch whose gaps fall in several buckets: apart, so that what is handed on is boxed here alone. */
  private countRamp(k: number): void {
    this.decodesByClass.forEach((count, c) => {
      if (count > 0) this.meter.itlS[c].addRamp(this.baseS, this.slopeS, k, count);
    });
  }

  /** Moves sequences whose prompt is complete from prefill to decode: their next token comes out now. */
  private advancePrefills(): void {
    const nowS = this.dueS;
    const { table, prefills } = this;
    let kept = 0;
    for (let i = 0; i < this.prefillCount; i++) {
      const slot = prefills[i];
      const context = table.prefillTokens[slot];
      if (table.prefilledTokens[slot] < context || (table.state[slot] & CANCELLED) !== 0) {
        prefills[kept++] = slot;
        continue;
      }
      this.prefilledTokens -= context;
      this.prefillBlocks -= this.blocks(context);
      const generated = ++table.generated[slot];
      if (generated === 1) table.firstTokenS[slot] = nowS;
      else this.meter.itlS[table.classIndex[slot]].add(nowS - table.lastTokenS[slot], 1);
      table.state[slot] = DECODING;
      table.joinStep[slot] = this.stepCount;
      table.finishStep[slot] = this.stepCount + table.outputTokens[slot] - generated;
      this.completions.push(slot);
      this.decodeCount++;
      this.decodesByClass[table.classIndex[slot]]++;
      this.contextTokens += context + 1;
      this.blockPhase[(this.stepCount - context) & this.blockMask]++;
    }
    this.prefillCount = kept;
  }

  private dropCancelled(wasMixed: boolean): void {
    const table = this.table;
    // The token of the last step found no client any more, so its gap does not count.
    const gapS = wasMixed ? this.dueS - this.startS : this.baseS + this.slopeS * (this.plannedSteps - 1);
    for (const slot of this.cancelled) {
      table.state[slot] &= ~CANCELLED;
      if (table.state[slot] === DECODING) this.meter.itlS[table.classIndex[slot]].add(gapS, -1);
      this.leaveBatch(slot);
      this.sink.dropped(slot);
    }
    this.cancelled.length = 0;
  }

  /** Takes a sequence out of the batch at a boundary; returns the tokens that it held. */
  private leaveBatch(slot: number): number {
    const table = this.table;
    const next = table.next[slot];
    const previous = table.previous[slot];
    if (previous === NO_SLOT) this.runningHead = next;
    else table.next[previous] = next;
    if (next === NO_SLOT) this.runningTail = previous;
    else table.previous[next] = previous;
    this.runningCount--;
    if (table.state[slot] === DECODING) {
      // Tokens whose keys and values are held: all but the newest token, which the next step would compute.
      const held = table.inputTokens[slot] + table.generated[slot] + ((this.stepCount - table.joinStep[slot]) | 0) - 1;
      this.completions.remove(slot);
      this.decodeCount--;
      this.decodesByClass[table.classIndex[slot]]--;
      this.contextTokens -= held + 1;
      this.blockPhase[(this.stepCount - held) & this.blockMask]--;
      return held;
    }
    const held = table.prefilledTokens[slot];
    this.prefilledTokens -= held;
    this.prefillBlocks -= this.blocks(held);
    this.removePrefill(slot);
    return held;
  }

  private removePrefill(slot: number): void {
    const at = this.prefills.indexOf(slot);
    this.prefills.copyWithin(at, at + 1, this.prefillCount--);
  }

  private reset(): void {
    this.mode = IDLE;
    this.dueS = Infinity;
    this.completions.clear();
    this.decodesByClass.fill(0);
    this.blockPhase.fill(0);
    this.decodeCount = this.contextTokens = 0;
    this.waiting.clear();
    this.runningHead = this.runningTail = NO_SLOT;
    this.runningCount = 0;
    this.prefillCount = this.prefilledTokens = this.prefillBlocks = 0;
    this.stepCount = 0;
    this.cancelled.length = 0;
    this.bookedUntilS = -Infinity;
    this.bookedKvTokenS = 0;
  }

  // ---------------------------------------------------------------- closed forms

  /** Whole blocks that hold so many tokens. */
  private blocks(tokens: number): number {
    return (tokens + this.blockMask) >> this.blockShift;
  }

  /** Duration of the first k steps of the stretch. */
  private spanS(k: number): number {
    return k * this.baseS + (this.slopeS * k * (k - 1)) / 2;
  }

  /** Σ over the first k steps of (context tokens × duration). */
  private kvTokenSeconds(k: number): number {
    const context = this.contextTokens;
    const perStep = this.decodeCount;
    const base = this.baseS;
    const slope = this.slopeS;
    return (
      k * context * base +
      ((context * slope + perStep * base) * k * (k - 1)) / 2 +
      (perStep * slope * k * (k - 1) * (2 * k - 1)) / 6
    );
  }

  cutStretch(timeS: number): boolean {
    if (this.mode !== STRETCH || this.plannedSteps === 1) return false;
    const k = this.stepsUntil(timeS);
    if (k >= this.plannedSteps) return false;
    this.plannedSteps = k;
    this.dueS = this.startS + this.spanS(k);
    return true;
  }

  /** Smallest k ≥ 1 whose boundary is at or after `timeS`: the root of the quadratic, corrected so that rounding never decides. */
  private stepsUntil(timeS: number): number {
    const wantedS = timeS - this.startS;
    const linear = this.baseS - this.slopeS / 2;
    let k = Math.ceil((2 * wantedS) / (linear + Math.sqrt(linear * linear + 2 * this.slopeS * wantedS))) | 0;
    if (k < 1) k = 1;
    while (k > 1 && this.startS + this.spanS(k - 1) >= timeS) k--;
    while (this.startS + this.spanS(k) < timeS) k++;
    return k;
  }

  /** Number of whole steps of the stretch that have ended by `timeS`. */
  private stepsDoneBy(timeS: number): number {
    const k = this.stepsUntil(timeS);
    return this.startS + this.spanS(k) > timeS ? k - 1 : k;
  }

  /** Free blocks at a boundary if every decoding sequence had but one token in its last block. */
  private leastFreeBlocks(): number {
    const decoding = (this.contextTokens + this.decodeCount * (this.blockMask - 1)) >> this.blockShift;
    return this.kvBlocks - this.prefillBlocks - decoding;
  }

  /** Largest number of steps whose new blocks are free; at least 1 (the first step was checked before). */
  private stepsAffordable(): number {
    const cycles = (this.freeBlocks / this.decodeCount) | 0;
    let left = this.freeBlocks - cycles * this.decodeCount;
    let steps = 0;
    while (steps <= this.blockMask) {
      left -= this.blockPhase[(this.stepCount + steps) & this.blockMask];
      if (left < 0) break;
      steps++;
    }
    return cycles * (this.blockMask + 1) + steps;
  }
}

/**
 * One replica under any batching policy: the policy says what each step holds (`policies/policy.ts`), the batch keeps budget,
 * seats and KV blocks (`batch.ts`), and this class keeps the clock and the books, and leaps over decode steps as far as the
 * policy claims that it would repeat itself. A boundary costs what changes at it, and O(batch) where a policy looks at every sequence,
 * only some of them decode, or drafts are drawn. Times in simulated seconds, lengths in tokens.
 *
 *   INV-3  sent ≤ admitted ≤ first token ≤ last token.
 *   INV-6  never idle with requests waiting, unless the policy named the time until which it waits, or KV that was handed on is not
 *          fetched yet.
 */
import { PolicyError } from "../kernel/errors.ts";
import { beyondBudget } from "./policy-faults.ts";
import { Batch, CANCELLED, DECODING, WAITING } from "./batch.ts";
import type { DraftDecoders } from "./draft-decoders.ts";
import { DraftGaps } from "./draft-gaps.ts";
import type { EngineMeter, ReplicaSink } from "./meter.ts";
import type { BatchingPolicy } from "./policies/policy.ts";
import { batchingNamed, orderNamed, withDefaults } from "./policies/registry.ts";
import { NOTHING_SHARED, type PromptContent } from "./prompt-content.ts";
import type { ReplicaEngine } from "./replica-engine.ts";
import type { ClassTraits } from "./request-facts.ts";
import { NO_SLOT, type RequestTable } from "./request-table.ts";
import type { SchedulerSpec } from "./scheduler-spec.ts";
import type { EngineSpec } from "./spec.ts";
import type { StepObserver } from "./step-observer.ts";
import type { StepTime } from "./step-time.ts";
import { Stretch } from "./stretch.ts";

const IDLE = 0;
/** A step visited on its own. */
const STEP = 1;
/** Decode steps planned together. */
const STRETCH = 2;
/** Between two steps, to be formed when all arrivals of this instant are in. */
const BOUNDARY = 3;
/** Idle by the policy's wish, until `dueS`. */
const HOLD = 4;

export interface PolicyReplicaOptions {
  readonly spec: EngineSpec;
  readonly scheduler: SchedulerSpec;
  readonly stepTime: StepTime;
  readonly classes: readonly ClassTraits[];
  /** Key of prediction errors and accepted drafts: the same luck for every strategy. */
  readonly luckKey: number;
  /** What prompts share; null = nothing. */
  readonly content: PromptContent | null;
  /** Visit every step, whatever the policy claims. */
  readonly walk: boolean;
}

export class PolicyReplica implements ReplicaEngine {
  dueS = Infinity;
  readonly batch: Batch;
  /** Steps in what is under way: 1, or more in a leap. */
  plannedSteps = 0;
  preempted = 0;
  /** Is told of every step; null = nobody. */
  observer: StepObserver | null = null;

  private mode = IDLE;
  readonly table: RequestTable;
  private readonly sink: ReplicaSink;
  private readonly meter: EngineMeter;
  private readonly stepTime: StepTime;
  private readonly policyName: string;
  private readonly newPolicy: () => BatchingPolicy;
  private policy: BatchingPolicy;
  private readonly stretch = new Stretch();
  private readonly handsOn: boolean;
  private readonly walk: boolean;
  private heldTokens = 0;
  /** Running ones whose clients gave up during the step under way. */
  private readonly cancelled: number[] = [];
  private readonly leaving: number[] = [];
  private leavingCount = 0;
  private bookedUntilS = -Infinity;
  private bookedKvTokenS = 0;
  private keptBookedS = 0;
  /** By class: decodes without a stall before, and those that stalled since everybody decoded last. */
  private readonly steady: Int32Array;
  private readonly stalled: Int32Array;
  /** With drafts: of steps of decodes only, and of those with prompts, which last longer. */
  private readonly decodeGaps: DraftGaps | null;
  private readonly mixedGaps: DraftGaps | null;

  constructor(options: PolicyReplicaOptions, table: RequestTable, sink: ReplicaSink, meter: EngineMeter) {
    const { spec, scheduler, classes, luckKey } = options;
    const batching = batchingNamed(scheduler.batching.name);
    const order = orderNamed(scheduler.order.name);
    if (batching === undefined) throw new RangeError(`no batching policy is named ${scheduler.batching.name}`);
    if (order === undefined) throw new RangeError(`no queue order is named ${scheduler.order.name}`);
    this.table = table;
    this.sink = sink;
    this.meter = meter;
    this.stepTime = options.stepTime;
    this.walk = options.walk;
    this.handsOn = scheduler.role === "prefill";
    this.policyName = batching.name;
    const batchingOptions = withDefaults(batching.options, scheduler.batching.options);
    this.newPolicy = () => batching.create(batchingOptions);
    this.policy = this.newPolicy();
    const orderOptions = withDefaults(order.options, scheduler.order.options);
    const content = options.content ?? NOTHING_SHARED;
    this.batch = new Batch(spec, scheduler, order, orderOptions, classes, luckKey, content, table);
    const { drafts } = this.batch.decoders;
    this.decodeGaps = drafts && new DraftGaps(drafts.tokensAtMost, meter.itlS);
    this.mixedGaps = drafts && new DraftGaps(drafts.tokensAtMost, meter.itlS);
    this.steady = new Int32Array(classes.length);
    this.stalled = new Int32Array(classes.length);
  }

  get waitingCount(): number {
    return this.batch.waitingCount;
  }

  get inFlight(): number {
    return this.batch.waitingCount + this.batch.runningCount;
  }

  get freeKvBlocks(): number {
    return this.batch.freeBlocks;
  }

  get atBoundary(): boolean {
    return this.mode === BOUNDARY;
  }

  /** Start of the step or stretch under way. */
  get startS(): number {
    return this.stretch.startS;
  }

  // ---------------------------------------------------------------- from outside

  enqueue(slot: number): boolean {
    this.table.generated[slot] = 0;
    this.table.prefilledTokens[slot] = 0;
    return this.takeOver(slot);
  }

  /** As `enqueue`, for a request that a prefill replica handed on: its first token is out, `prefilledTokens` of KV come along. */
  takeOver(slot: number): boolean {
    const table = this.table;
    table.state[slot] = WAITING;
    table.nextAtStep[slot] = table.next[slot] = table.joinStep[slot] = 0;
    table.prefillTokens[slot] = table.inputTokens[slot] + table.generated[slot];
    const mustWake = this.batch.line.push(slot);
    if (this.mode === IDLE || this.mode === HOLD) {
      this.mode = BOUNDARY;
      this.dueS = table.attemptS[slot];
      return true;
    }
    if (this.mode !== STRETCH || this.plannedSteps === 1) return false;
    return (mustWake || this.mayWake(slot)) && this.cutStretch(table.attemptS[slot]);
  }

  /** The KV of a request that was handed on is not wanted here any more. True when `dueS` changed: others may get in now. */
  letGo(slot: number, nowS: number): boolean {
    const { batch, mode } = this;
    this.bookKept(nowS);
    batch.letGo(slot);
    if (mode !== IDLE && mode !== HOLD) return false;
    if (batch.waitingCount === 0) {
      this.observer?.rested(this, nowS);
      return false;
    }
    this.mode = BOUNDARY;
    this.dueS = nowS;
    return true;
  }

  cancel(slot: number, nowS: number): boolean {
    const { table, batch } = this;
    if (table.state[slot] === WAITING) {
      batch.leaveQueue(slot);
      // Idle with others waiting: the one that left may have been the one that did not fit beside KV that was handed on.
      if (this.mode === HOLD || (this.mode === IDLE && batch.waitingCount > 0)) {
        this.mode = BOUNDARY;
        this.dueS = nowS;
      } else if (batch.waitingCount > 0) this.cutStretch(nowS);
      return true;
    }
    this.cutStretch(nowS);
    // A step that ends at this very instant is over before anybody gives up.
    if (this.mode === STRETCH && this.dueS === nowS) this.finish();
    if (this.mode === BOUNDARY || this.mode === HOLD) {
      batch.leave(slot);
      if (this.mode === HOLD) this.dueS = nowS;
      this.mode = BOUNDARY;
      return true;
    }
    table.state[slot] |= CANCELLED;
    this.cancelled.push(slot);
    return false;
  }

  fail(nowS: number): void {
    const { table, sink, batch } = this;
    this.preempted = 0;
    if (this.mode === STEP || this.mode === STRETCH) this.book(nowS);
    this.bookKept(nowS);
    // Tokens of the steps that ended before the failure are out.
    const ended = this.mode === STRETCH ? this.stretch.stepsUntil(nowS) - 1 : 0;
    if (this.mode === STRETCH) {
      this.meter.steps += ended;
      if (ended > 0) this.countGaps(ended, true);
    }
    const lost: number[] = [];
    const gone: number[] = [];
    for (let i = 0; i < batch.runningCount; i++) {
      const slot = batch.slots[i];
      ((table.state[slot] & CANCELLED) !== 0 ? gone : lost).push(slot);
    }
    for (let i = 0; i < batch.waitingCount; i++) lost.push(batch.waitingAt(i));
    batch.clear();
    this.policy = this.newPolicy();
    this.mode = IDLE;
    this.dueS = Infinity;
    this.cancelled.length = 0;
    this.bookedUntilS = -Infinity;
    this.bookedKvTokenS = 0;
    this.observer?.ended(this, nowS, ended);
    this.observer?.rested(this, nowS);
    for (const slot of gone) sink.dropped(slot);
    for (const slot of lost) sink.lost(slot);
  }

  finish(): void {
    if (this.mode === HOLD) {
      this.mode = BOUNDARY;
      return;
    }
    const { batch, meter } = this;
    const nowS = this.dueS;
    const steps = this.plannedSteps;
    this.book(nowS);
    if (this.handsOn) this.bookKept(nowS);
    meter.boundaries++;
    meter.steps += steps;
    if (steps > 1) batch.grow(steps - 1);
    const allDecoded = batch.decodeCount > 0 && batch.decodeCount === batch.decoders.count;
    if (batch.decoders.drafts !== null) this.decodeWithDrafts(batch.decoders.drafts, nowS);
    else {
      this.countGaps(steps, false);
      if (batch.line.shifts) this.chargeDecodes(steps);
      if (allDecoded) batch.decoders.advanceAll(steps, nowS);
      else if (batch.decodeCount > 0) this.advanceSome(nowS);
    }
    if (batch.prefillCount > 0) this.turnPrefills(nowS);
    batch.close();
    this.bookedUntilS = -Infinity;
    this.bookedKvTokenS = 0;
    this.mode = BOUNDARY;
    if (this.cancelled.length > 0) this.dropCancelled(allDecoded);
    this.complete(nowS);
    this.observer?.ended(this, nowS, steps);
  }

  form(): void {
    const { batch, stretch, stepTime } = this;
    const nowS = this.dueS;
    if (this.handsOn) this.bookKept(nowS);
    batch.nowS = nowS;
    batch.open();
    this.policy.schedule(batch);
    // Drafts may go beyond it: what they take is known late.
    const { budgetTokens, maxNumBatchedTokens } = batch;
    if (budgetTokens < 0 && batch.decodeTokens === 1 && batch.decodeCount <= maxNumBatchedTokens)
      throw beyondBudget(this.policyName, maxNumBatchedTokens, budgetTokens);
    this.preempted += batch.preemptions;
    this.flushCounters();
    if (batch.tookOver.length > 0) for (const slot of batch.tookOver.splice(0)) this.sink.tookOver?.(slot);
    const { decodeCount, decodeContext, prefillTokens } = batch;
    if (decodeCount === 0 && prefillTokens === 0) {
      this.rest(nowS);
      return;
    }
    const priced = batch.seats > decodeCount ? batch.seats : decodeCount;
    let lengthS: number;
    if (prefillTokens > 0) {
      lengthS = stepTime.mixedS(priced, decodeContext, prefillTokens, batch.attendedPairs, batch.prompts);
      this.meter.prefillTokens += prefillTokens;
    } else lengthS = stepTime.decodeBaseS[priced] + stepTime.perContextTokenS * decodeContext;
    stretch.startS = nowS;
    stretch.baseS = lengthS + batch.host.transferS;
    stretch.slopeS = 0;
    this.mode = STEP;
    this.plannedSteps = 1;
    this.heldTokens = batch.heldTokens();
    if (prefillTokens === 0 && decodeCount === batch.runningCount && batch.unchanged && batch.host.transferS === 0)
      this.leap();
    this.dueS = nowS + stretch.spanS(this.plannedSteps);
    this.observer?.formed(this);
    this.preempted = 0;
  }

  bookUntil(timeS: number): void {
    this.decodeGaps?.flush();
    this.mixedGaps?.flush();
    this.book(timeS);
    this.bookKept(timeS);
  }

  // ---------------------------------------------------------------- forming

  /** Nothing to do now: idle, or waiting by the policy's wish. */
  private rest(nowS: number): void {
    const { waitingCount, runningCount, wakeS } = this.batch;
    if (waitingCount + runningCount > 0 && this.batch.handedOn.count === 0 && !(wakeS > nowS && wakeS < Infinity))
      throw new PolicyError(
        this.policyName,
        `INV-6 broken: ${this.policyName} scheduled nothing at ${nowS} s, with ${waitingCount} waiting and ${runningCount} running, and named no later time`,
      );
    this.mode = wakeS < Infinity ? HOLD : IDLE;
    this.dueS = wakeS;
    this.observer?.rested(this, nowS);
  }

  /** Plans as many decode steps together as nothing can change. */
  private leap(): void {
    const { batch, policy, stretch } = this;
    if (this.walk || batch.decoders.drafts !== null || policy.leap === undefined) return;
    if (this.headMayGetIn()) return;
    const claimed = policy.leap(batch);
    if (!Number.isInteger(claimed) && claimed !== Infinity)
      throw new PolicyError(
        this.policyName,
        `${this.policyName} claims to leap over ${String(claimed)} steps: a whole number of them or Infinity is needed`,
      );
    const toNext = batch.decoders.stepsToNext();
    let steps = toNext < claimed ? toNext : claimed;
    steps = batch.stepsAffordable(steps);
    this.mode = STRETCH;
    this.plannedSteps = steps > 1 ? steps : 1;
    stretch.slopeS = this.stepTime.perContextTokenS * batch.decodeCount;
  }

  /** The first in the queue, who does not get in now, may do so amid decodes: then every step is visited. */
  private headMayGetIn(): boolean {
    const { batch } = this;
    if (batch.waitingCount === 0 || batch.runningCount >= batch.maxNumSeqs) return false;
    // A prompt may need less room when cached blocks of it are evicted; and another may become the first as service is booked.
    return batch.sawFreeCached || (batch.line.shifts && this.mayWake(batch.firstWaiting()));
  }

  private mayWake(slot: number): boolean {
    return this.policy.wakes?.(this.batch, slot) ?? true;
  }

  cutStretch(timeS: number): boolean {
    if (this.mode !== STRETCH || this.plannedSteps === 1) return false;
    const k = this.stretch.stepsUntil(timeS);
    if (k >= this.plannedSteps) return false;
    this.plannedSteps = k;
    this.dueS = this.stretch.startS + this.stretch.spanS(k);
    return true;
  }

  // ---------------------------------------------------------------- ending

  /** KV that was handed on and is kept, whatever runs. What is shared is left out of the step that is under way, else here. */
  private bookKept(timeS: number): void {
    const { handedOn, cached, blockTokens } = this.batch;
    const running = this.mode === STEP || this.mode === STRETCH;
    const shared = running || cached === null ? 0 : cached.cache.sharedBlocks * blockTokens;
    if (handedOn.count > 0) this.meter.kvTokenS += (handedOn.tokens - shared) * (timeS - this.keptBookedS);
    this.keptBookedS = timeS;
  }

  /** Moves what the step under way has come to by `timeS` into the meter of the pool. */
  private book(timeS: number): void {
    if (this.mode !== STEP && this.mode !== STRETCH) return;
    const { meter, stretch, batch } = this;
    const elapsedS = timeS - Math.max(this.bookedUntilS, stretch.startS);
    meter.busyS += elapsedS;
    meter.occupancySeqS += batch.runningCount * elapsedS;
    const ended = timeS === this.dueS;
    const perStep = this.mode === STRETCH ? batch.decodeCount : 0;
    const steps = ended ? this.plannedSteps : this.mode === STEP ? 0 : stretch.stepsDoneBy(timeS);
    const inStepS = ended ? 0 : timeS - stretch.startS - stretch.spanS(steps);
    const kvTokenS =
      stretch.tokenSeconds(steps, this.heldTokens, perStep) + (this.heldTokens + steps * perStep) * inStepS;
    meter.kvTokenS += kvTokenS - this.bookedKvTokenS;
    this.bookedKvTokenS = kvTokenS;
    this.bookedUntilS = timeS;
  }

  /** Draws the tokens of every decode in the step, and puts them out; several tokens of one step share its gap. */
  private decodeWithDrafts(drafts: DraftDecoders, nowS: number): void {
    const { batch } = this;
    const { decoders } = batch;
    this.countPrefillGaps();
    if (batch.decodeCount === 0) return;
    const everybody = batch.decodeCount === decoders.count;
    const { startS } = this.stretch;
    if (everybody && this.cancelled.length === 0 && !batch.line.shifts && decoders.allHeardAt(startS)) {
      const gaps = batch.prefillTokens > 0 ? this.mixedGaps! : this.decodeGaps!;
      gaps.begin(nowS - startS, decoders.byClass);
      const tokens = drafts.stepAll(gaps.sequences);
      decoders.contextTokens += tokens;
      this.meter.draftTokens += decoders.count * (drafts.tokensAtMost - 1);
      this.meter.acceptedTokens += tokens - decoders.count;
    } else {
      for (let i = 0; i < batch.runningCount; i++) {
        const slot = batch.slots[i];
        if (this.table.state[slot] !== DECODING || !(everybody || batch.plans(slot))) continue;
        this.decodeOne(drafts, slot, nowS);
        if (!everybody) decoders.hear(slot, nowS);
      }
    }
    if (everybody) decoders.hearAll(nowS);
    for (let i = 0; i < drafts.endedCount; i++) this.end(drafts.ended[i]);
    drafts.endedCount = 0;
  }

  private decodeOne(drafts: DraftDecoders, slot: number, nowS: number): void {
    const { meter, batch } = this;
    const { decoders } = batch;
    const c = this.table.classIndex[slot];
    const tokens = drafts.stepOne(slot);
    decoders.contextTokens += tokens;
    meter.draftTokens += drafts.tokensAtMost - 1;
    meter.acceptedTokens += tokens - 1;
    meter.itlS[c].add((nowS - decoders.heardS(slot)) / tokens, tokens);
    if (batch.line.shifts) batch.line.charge(c, 0, tokens);
  }

  /** One token for each that decoded in a step in which others stalled; who gave up meanwhile gives it back when it leaves. */
  private advanceSome(nowS: number): void {
    const { batch } = this;
    for (let i = 0; i < batch.runningCount; i++) {
      const slot = batch.slots[i];
      if (batch.isDecoding(slot) && batch.plans(slot)) batch.decoders.advance(slot, 1, nowS);
    }
  }

  /** Books the decodes of the step on their tenants; who gave up goes without the last token. */
  private chargeDecodes(steps: number): void {
    const { table, batch } = this;
    const { decoders, line } = batch;
    if (batch.decodeCount < decoders.count) {
      for (let i = 0; i < batch.runningCount; i++) {
        const slot = batch.slots[i];
        if (table.state[slot] === DECODING && batch.plans(slot)) line.charge(table.classIndex[slot], 0, 1);
      }
      return;
    }
    for (let c = 0; c < decoders.byClass.length; c++) line.charge(c, 0, decoders.byClass[c] * steps);
    for (const slot of this.cancelled) if (batch.isDecoding(slot)) line.charge(table.classIndex[slot], 0, -1);
  }

  /** Prompts that are complete put out a token; who wants no more, or hands on, is to leave with it. */
  private turnPrefills(nowS: number): void {
    const { table, batch, handsOn } = this;
    const charges = batch.line.shifts;
    for (let i = 0; i < batch.prefillCount;) {
      const slot = batch.prefills[i];
      if (table.prefilledTokens[slot] < table.prefillTokens[slot] || (table.state[slot] & CANCELLED) !== 0) {
        i++;
        continue;
      }
      const generated = ++table.generated[slot];
      if (generated === 1) table.firstTokenS[slot] = nowS;
      if (charges) batch.line.charge(table.classIndex[slot], 0, 1);
      if (handsOn || generated === table.outputTokens[slot]) this.end(slot);
      else batch.turn(slot, nowS);
    }
  }

  /** Gaps over the prompts of those that were preempted amid their answers. */
  private countPrefillGaps(): void {
    const { table, batch, meter } = this;
    for (let i = 0; i < batch.prefillCount; i++) {
      const slot = batch.prefills[i];
      const complete = table.prefilledTokens[slot] === table.prefillTokens[slot];
      if (complete && table.generated[slot] > 0 && (table.state[slot] & CANCELLED) === 0)
        meter.itlS[table.classIndex[slot]].add(this.dueS - table.lastTokenS[slot], 1);
    }
  }

  /**
   * Gaps between tokens over the first k steps of what is under way. A sequence that stalled before has a longer first gap;
   * one that is cancelled does not hear the last token.
   */
  private countGaps(k: number, failed: boolean): void {
    const { table, batch, stretch, steady, stalled } = this;
    const { decoders } = batch;
    if (batch.prefillCount > 0) this.countPrefillGaps();
    if (batch.decodeCount === 0) return;
    steady.fill(0);
    if (batch.decodeCount < decoders.count) {
      for (let i = 0; i < batch.runningCount; i++) {
        const slot = batch.slots[i];
        if (table.state[slot] !== DECODING || !batch.plans(slot)) continue;
        const stalledS = stretch.startS - decoders.heardS(slot);
        if (stalledS === 0) steady[table.classIndex[slot]]++;
        else this.addGaps(table.classIndex[slot], stalledS, 1, 1);
      }
    } else {
      const { fresh, byClass } = decoders;
      stalled.set(byClass);
      for (let i = 0; i < decoders.freshCount; i++) {
        const slot = fresh[i];
        const c = table.classIndex[slot];
        stalled[c]--;
        if ((table.state[slot] & CANCELLED) !== 0) continue;
        const stalledS = stretch.startS - table.lastTokenS[slot];
        if (stalledS === 0) steady[c]++;
        else this.addGaps(c, stalledS, k, 1);
      }
      for (const slot of this.cancelled) {
        if (!batch.isDecoding(slot)) continue;
        const c = table.classIndex[slot];
        if (!decoders.isFresh(slot)) stalled[c]--;
        this.addGaps(c, stretch.startS - decoders.heardS(slot), failed ? k : k - 1, 1);
      }
      const stalledS = stretch.startS - decoders.lastTokenS;
      for (let c = 0; c < stalled.length; c++) {
        if (stalledS === 0) steady[c] += stalled[c];
        else if (stalled[c] > 0) this.addGaps(c, stalledS, k, stalled[c]);
      }
    }
    for (let c = 0; c < steady.length; c++)
      if (steady[c] > 0) this.meter.itlS[c].addRamp(stretch.baseS, stretch.slopeS, k, steady[c]);
  }

  /** Gaps of so many sequences that heard nothing for `stalledS` before, over k steps. */
  private addGaps(classIndex: number, stalledS: number, k: number, sequences: number): void {
    const itlS = this.meter.itlS[classIndex];
    const { baseS, slopeS } = this.stretch;
    if (k > 0) itlS.add(baseS + stalledS, sequences);
    if (k > 1) itlS.addRamp(baseS + slopeS, slopeS, k - 1, sequences);
  }

  /** Who gave up leaves without the token of the last step, the last admitted first. */
  private dropCancelled(allDecoded: boolean): void {
    const { batch, cancelled } = this;
    this.inOrder(cancelled, cancelled.length);
    while (cancelled.length > 0) {
      const slot = cancelled.pop()!;
      const decoded = batch.isDecoding(slot) && (allDecoded || batch.hadPart(slot));
      batch.leave(slot, decoded && batch.decoders.drafts === null ? 1 : 0);
      this.sink.dropped(slot);
    }
  }

  /** Who has all tokens, or only the first to be handed on, leaves with them, in order of admission. */
  private complete(nowS: number): void {
    const { table, batch, sink, leaving } = this;
    const { decoders } = batch;
    for (let slot = decoders.finished(); slot !== NO_SLOT; slot = decoders.finished()) this.end(slot);
    const count = this.leavingCount;
    if (count > 1) this.inOrder(leaving, count);
    for (let i = 0; i < count; i++) {
      const slot = leaving[i];
      table.lastTokenS[slot] = nowS;
      if (table.generated[slot] === table.outputTokens[slot]) {
        batch.leave(slot);
        sink.completed(slot);
      } else {
        batch.handOn(slot);
        sink.prefilled!(slot);
      }
    }
    this.leavingCount = 0;
  }

  private end(slot: number): void {
    this.batch.end(slot);
    this.leaving[this.leavingCount++] = slot;
  }

  /** Sorts by admission. */
  private inOrder(slots: number[], count: number): void {
    for (let i = 1; i < count; i++) {
      const slot = slots[i];
      let j = i;
      for (; j > 0 && this.batch.admittedBefore(slot, slots[j - 1]); j--) slots[j] = slots[j - 1];
      slots[j] = slot;
    }
  }

  /** Moves what the batch counted into the meter of the pool. */
  private flushCounters(): void {
    const { batch, meter } = this;
    meter.preemptions += batch.preemptions;
    meter.prefixTokensFound += batch.prefixTokensFound;
    meter.prefixTokensAsked += batch.prefixTokensAsked;
    meter.swappedOutTokens += batch.host.swappedOutTokens;
    batch.preemptions = batch.prefixTokensFound = batch.prefixTokensAsked = batch.host.swappedOutTokens = 0;
  }
}

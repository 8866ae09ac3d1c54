/** Where requests come in and end: a slot for each that needs a target, and one outcome for each (INV-1). */
import { AT_CLIENT, NO_SLOT } from "../engine/request-table.ts";
import { counterKey, threefry2x32, unit, words } from "../kernel/random.ts";
import { BOUNDARY_REFUSED, NO_ROUTE, type Recorder, TIMED_OUT } from "../outcome/recorder.ts";
import type { ClientProfile, ResolvedStrategy } from "../scenario/resolved.ts";
import type { DemandMeter } from "../traffic/demand.ts";
import { AttemptLog } from "./attempt-log.ts";
import { Breakers } from "./breakers.ts";
import { GIVES_UP, Patience, patienceOf, RetryBudgetLeft, retryDelayS } from "./client.ts";
import type { Hedges } from "./hedges.ts";
import { AS_IT_IS, CLEANED, type Redaction } from "./redaction.ts";
import type { TargetView } from "./target-view.ts";
import { type ResponseCache, responseCacheOf } from "./response-cache.ts";
import { routeOfPool, type RunSetting, targetOfRoute } from "./run-book.ts";
import { GIVE_UP, RETRY, type RunState } from "./run-state.ts";

export class RequestDesk {
  readonly recorder: Recorder;
  /** Requests that arrived, warm-up included. */
  sentAll = 0;
  waitingForRetry = 0;
  readonly log: AttemptLog;
  readonly breakers: Breakers | null;
  readonly budget: RetryBudgetLeft | null;
  readonly patience: Patience | null;
  /** Set when a dispatch policy looks at how targets have answered. */
  view: TargetView | null = null;
  /** Set when the strategy hedges. */
  hedges: Hedges | null = null;
  private readonly state: RunState;
  private readonly strategy: ResolvedStrategy;
  private readonly demand: DemandMeter | null;
  private readonly responseCache: ResponseCache | null;
  readonly client: ClientProfile;
  private readonly retryKey: number;
  /** By class, out of the setting for the loop. */
  private readonly timeoutS: Float64Array;
  private readonly barred: readonly boolean[];

  constructor(
    state: RunState,
    setting: RunSetting,
    strategy: ResolvedStrategy,
    recorder: Recorder,
    {
      seed,
      replication,
      demand,
    }: { readonly seed: string; readonly replication: number; readonly demand: DemandMeter | null },
  ) {
    const { classes } = setting;
    const client = strategy.client ?? setting.client;
    const targets = strategy.pools.length + strategy.offers.length;
    const { breaker } = strategy;
    this.state = state;
    this.strategy = strategy;
    this.recorder = recorder;
    this.demand = demand;
    this.responseCache = responseCacheOf(strategy, classes, seed, replication);
    this.client = client;
    this.retryKey = counterKey(seed, replication, "client/retry");
    this.timeoutS = Float64Array.from(patienceOf(client, classes));
    this.log = new AttemptLog(targets);
    this.breakers = breaker === undefined ? null : new Breakers(breaker, targets);
    const { retryBudget, abandonment } = client;
    this.budget = retryBudget === undefined ? null : new RetryBudgetLeft(retryBudget, state.nowS);
    this.patience = abandonment === undefined ? null : new Patience(abandonment, seed, replication);
    this.barred = strategy.barred.map((reason) => reason !== null);
  }

  /** Takes the request that arrives now; NO_SLOT when it ends without a target. */
  open(): number {
    const { recorder } = this;
    const { traffic, table, nowS } = this.state;
    const classIndex = traffic.classIndex;
    const request = traffic.request;
    this.sentAll++;
    recorder.sent(classIndex, nowS);
    if (this.budget !== null) this.budget.earn();
    this.demand?.add(nowS);
    if (this.barred[classIndex]) {
      this.refuseAtBoundary();
      traffic.advance();
      traffic.onComplete(request, nowS);
      return NO_SLOT;
    }
    if (this.responseCache !== null && this.responseCache.answers(request, classIndex, nowS)) {
      const endS = this.answerFromCache();
      traffic.advance();
      traffic.onComplete(request, endS);
      return NO_SLOT;
    }
    const slot = table.take();
    table.ordinal[slot] = request;
    table.sentS[slot] = nowS;
    table.deadlineS[slot] = nowS + this.timeoutS[classIndex];
    table.classIndex[slot] = classIndex;
    table.inputTokens[slot] = traffic.inputTokens;
    table.outputTokens[slot] = traffic.outputTokens;
    table.maxOutputTokens[slot] = traffic.maxOutputTokens;
    table.reasoningTokens[slot] = traffic.reasoningTokens ?? 0;
    table.attempts[slot] = 0;
    table.turnedAway[slot] = 0;
    table.retries[slot] = 0;
    table.redacted[slot] = AS_IT_IS;
    table.blocked[slot] = 0;
    traffic.advance();
    return slot;
  }

  /** No target may take the request that arrives now. */
  private refuseAtBoundary(): void {
    const { recorder } = this;
    const { traffic, nowS } = this.state;
    recorder.request = traffic.request;
    recorder.sentS = nowS;
    recorder.unanswered(traffic.classIndex, NO_ROUTE, traffic.inputTokens, BOUNDARY_REFUSED, 0);
  }

  /** The request that arrives now is answered without a target, for nothing: by a route of its own. Returns when it has its answer. */
  private answerFromCache(): number {
    const { recorder, strategy } = this;
    const { traffic, nowS } = this.state;
    const { latencyS } = strategy.responseCache!;
    recorder.request = traffic.request;
    recorder.sentS = nowS;
    recorder.ttftS = recorder.e2eS = latencyS;
    // What is kept is the answer, without what was thought for it.
    const outputTokens = traffic.outputTokens - (traffic.reasoningTokens ?? 0);
    recorder.reasoningTokens = 0;
    recorder.tpotS = outputTokens > 1 ? 0 : NaN;
    const route = routeOfPool(strategy.pools.length + strategy.offers.length);
    recorder.completed(traffic.classIndex, route, traffic.inputTokens, outputTokens, 0);
    return nowS + latencyS;
  }

  /** A request has all its tokens; its times are in the recorder's fields. Its slot is free then. */
  completed(slot: number, route: number): void {
    const { table, nowS } = this.state;
    const { recorder } = this;
    const classIndex = table.classIndex[slot];
    if (this.hedges !== null) this.hedges.ended(slot, true);
    if (this.breakers !== null) this.breakers.succeeded(targetOfRoute(route), nowS);
    if (this.view !== null)
      this.view.answered(
        targetOfRoute(route),
        classIndex,
        table.firstTokenS[slot] - table.attemptS[slot],
        table.outputTokens[slot],
      );
    recorder.request = table.ordinal[slot];
    recorder.sentS = table.sentS[slot];
    recorder.reasoningTokens = table.reasoningTokens[slot];
    const attempts = table.attempts[slot] + table.turnedAway[slot];
    recorder.completed(classIndex, route, table.inputTokens[slot], table.outputTokens[slot], attempts);
    this.responseCache?.keep(table.ordinal[slot], classIndex, nowS);
    // The client knows later than the engine, by the network's and the front end's time.
    this.end(slot, Math.max(nowS, recorder.sentS + recorder.e2eS));
  }

  /** A request that ran at a target ends without an answer: its client gave up, or the target did. Its slot is still taken. */
  ended(slot: number, route: number, outcome: number): void {
    if (this.hedges !== null) this.hedges.ended(slot, false);
    this.unanswered(slot, route, outcome);
  }

  /** Records that a request ended without an answer; its slot is still taken. */
  private unanswered(slot: number, route: number, outcome: number): void {
    const { recorder } = this;
    const { table } = this.state;
    recorder.request = table.ordinal[slot];
    recorder.sentS = table.sentS[slot];
    const attempts = table.attempts[slot] + table.turnedAway[slot];
    recorder.unanswered(table.classIndex[slot], route, table.inputTokens[slot], outcome, attempts);
  }

  /**
   * A request has not ended at the horizon; `route` is where it is then, `paidTokens` what an offer bills of its answer, `begun` whether
   * its first token has come.
   */
  inFlightAtHorizon(slot: number, route: number, paidTokens: number, begun: boolean): void {
    const { recorder } = this;
    const { table } = this.state;
    recorder.request = table.ordinal[slot];
    recorder.sentS = table.sentS[slot];
    const attempts = table.attempts[slot] + table.turnedAway[slot];
    recorder.reasoningTokens = Math.min(table.reasoningTokens[slot], paidTokens);
    recorder.inFlightAtHorizon(table.classIndex[slot], route, table.inputTokens[slot], paidTokens, attempts, begun);
  }

  end(slot: number, seenS = this.state.nowS): void {
    const { table, traffic } = this.state;
    traffic.onComplete(table.ordinal[slot], seenS);
    table.release(slot);
  }

  /** An attempt that a target had taken came to nothing: `kind` of the log. `slot` holds no attempt any more. */
  attemptFailed(slot: number, route: number, kind: number, outcome: number): void {
    this.noteFailure(route, kind);
    if (this.hedges !== null && this.hedges.leaves(slot)) this.state.table.release(slot);
    else this.retryOrEnd(slot, route, outcome, Infinity, false);
  }

  noteFailure(route: number, kind: number): void {
    const { nowS } = this.state;
    this.log.count(targetOfRoute(route), kind, nowS);
    if (this.breakers !== null) this.breakers.failed(targetOfRoute(route), false, nowS);
  }

  /** No target took the request, or it was lost: the client tries again, waits until its deadline, or gives up. */
  retryOrEnd(slot: number, route: number, outcome: number, retryAfterS: number, permanent: boolean): void {
    const { table, nowS } = this.state;
    const retry = table.retries[slot];
    let delayS = GIVES_UP;
    if (!permanent) {
      threefry2x32(this.retryKey, 0, table.ordinal[slot], retry);
      delayS = retryDelayS(this.client, retry, retryAfterS, unit(words[0]));
    }
    if (delayS !== GIVES_UP && this.budget !== null && !this.budget.spend(nowS)) delayS = GIVES_UP;
    if (delayS === GIVES_UP) {
      this.unanswered(slot, route, outcome);
      this.end(slot);
      return;
    }
    table.retries[slot] = retry + 1;
    if (this.holdUntil(slot, nowS + delayS)) this.recorder.retried(table.classIndex[slot], route, table.sentS[slot]);
  }

  /** A request waits to be sent again at `againS`; false when its client gives up before. */
  holdUntil(slot: number, againS: number): boolean {
    const { table, control } = this.state;
    table.where[slot] = AT_CLIENT;
    this.waitingForRetry++;
    const giveUpS = this.giveUpS(slot);
    const comesBack = againS < giveUpS;
    if (comesBack) control.push(againS, RETRY, slot, 0);
    else control.push(giveUpS, GIVE_UP, slot, 0);
    return comesBack;
  }

  /**
   * Runs the redaction step on a request's prompt, which is sent on when it is through. Both time and money are spent whatever
   * comes out.
   */
  redact(slot: number, redaction: Redaction): void {
    const { table, nowS } = this.state;
    const classIndex = table.classIndex[slot];
    const sentS = table.sentS[slot];
    const outcome = redaction.outcome(table.ordinal[slot]);
    table.redacted[slot] = outcome;
    this.recorder.redacted(classIndex, sentS, outcome === CLEANED);
    this.holdUntil(slot, nowS + redaction.latencyS);
  }

  /** A request may go to no target of its route: what it holds stays inside. */
  refusedUncleaned(slot: number): void {
    this.unanswered(slot, NO_ROUTE, BOUNDARY_REFUSED);
    this.end(slot);
  }

  /** A request that waited at its client has come to the end of its time. */
  gaveUp(slot: number): void {
    this.waitingForRetry--;
    this.unanswered(slot, NO_ROUTE, TIMED_OUT);
    this.end(slot);
  }

  /** When the client of a request without an attempt gives up: at its deadline, or when its user's patience ends. */
  private giveUpS(slot: number): number {
    const { table, nowS } = this.state;
    const deadlineS = table.deadlineS[slot];
    if (this.patience === null) return deadlineS;
    return Math.min(deadlineS, Math.max(nowS, table.sentS[slot] + this.patience.ofS(table.ordinal[slot])));
  }
}

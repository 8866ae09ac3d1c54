/** The attempts of one run at API offers: how an offer answers, how an answer ends, and what it costs. */
import { AT_OFFER, LEAVING } from "../engine/request-table.ts";
import { addUsage } from "../outcome/ledger.ts";
import { FAILED, TIMED_OUT } from "../outcome/recorder.ts";
import { ADMITTED, type Offer, OVERSIZE, producedTokens, RATE_LIMITED, RETIRED } from "../provider/offer.ts";
import { ABANDONED, ATTEMPT_TIMED_OUT } from "./attempt-log.ts";
import type { RequestDesk } from "./request-desk.ts";
import { type RunBook, routeOfPool, targetOfRoute } from "./run-book.ts";
import { ANSWER_END, type RunState } from "./run-state.ts";
import { ERROR, LIMITED, NEVER, TAKEN } from "./target-answer.ts";

export class OfferSide {
  readonly offers: readonly Offer[];
  /** Slots at offers, those of cancelled attempts included; and by offer the attempts that run. */
  inFlight = 0;
  readonly inFlightAt: Int32Array;
  private readonly state: RunState;
  private readonly desk: RequestDesk;
  private readonly book: RunBook;
  /** Recorder route of the first offer. */
  private readonly firstRoute: number;

  constructor(state: RunState, desk: RequestDesk, book: RunBook, offers: readonly Offer[], pools: number) {
    this.state = state;
    this.desk = desk;
    this.book = book;
    this.offers = offers;
    this.inFlightAt = new Int32Array(offers.length);
    this.firstRoute = routeOfPool(pools);
  }

  /** Tries the o-th offer. */
  send(slot: number, o: number): number {
    const { table, control, nowS } = this.state;
    const offer = this.offers[o];
    const status = offer.attempt(
      nowS,
      table.ordinal[slot],
      table.attempts[slot]++,
      table.inputTokens[slot],
      table.outputTokens[slot],
      table.maxOutputTokens[slot],
      table.classIndex[slot],
    );
    if (status === ADMITTED) {
      table.prefilledTokens[slot] = offer.cachedTokens;
      table.attemptS[slot] = nowS;
      table.firstTokenS[slot] = offer.firstTokenS;
      table.tokenGapS[slot] = offer.tokenGapS;
      table.replica[slot] = o;
      table.asStandard[slot] = offer.asStandard ? 1 : 0;
      table.where[slot] = AT_OFFER;
      this.inFlight++;
      this.inFlightAt[o]++;
      // A client that gives up before the answer ends closes the stream then.
      control.push(Math.min(offer.finishS, this.clientEndsS(slot)), ANSWER_END, slot, offer.finishS);
      return TAKEN;
    }
    return status === RATE_LIMITED ? LIMITED : status === OVERSIZE || status === RETIRED ? NEVER : ERROR;
  }

  /** Would the o-th offer take the request now? Changes nothing. */
  wouldTake(slot: number, o: number): boolean {
    const { table, nowS } = this.state;
    return this.offers[o].wouldTake(
      nowS,
      table.ordinal[slot],
      table.attempts[slot],
      table.inputTokens[slot],
      table.outputTokens[slot],
      table.maxOutputTokens[slot],
      table.classIndex[slot],
    );
  }

  /** The answer of an offer ends: with its last token at `finishS`, as a job that expired then, or earlier because the client gave up. */
  answerEnds(slot: number, finishS: number): void {
    const { table, nowS } = this.state;
    this.inFlight--;
    if (table.where[slot] === LEAVING) {
      table.release(slot);
      return;
    }
    const o = table.replica[slot];
    const ended = finishS <= nowS;
    const expired = ended && this.offers[o].expired(table.attemptS[slot], finishS);
    const complete = ended && !expired;
    this.settle(slot, complete);
    const route = this.routeOf(slot);
    const sentS = table.sentS[slot];
    const firstTokenS = table.firstTokenS[slot];
    if (expired) {
      this.desk.ended(slot, route, FAILED);
      this.desk.end(slot);
      return;
    }
    if (!complete) {
      if (nowS < table.deadlineS[slot]) {
        if (!this.hasLeft(slot)) {
          this.state.deadlines.add(slot);
          this.desk.attemptFailed(slot, route, ATTEMPT_TIMED_OUT, TIMED_OUT);
          return;
        }
        this.desk.log.count(targetOfRoute(route), ABANDONED, nowS);
      }
      this.desk.ended(slot, route, TIMED_OUT);
      this.desk.end(slot);
      return;
    }
    const output = table.outputTokens[slot];
    const tokenGapS = table.tokenGapS[slot];
    if (output > 1 && sentS >= 0) this.book.offerItlS[table.classIndex[slot]].add(tokenGapS, output - 1);
    const { recorder } = this.book;
    const thought = this.state.unseenTokens(slot);
    recorder.ttftS = firstTokenS + thought * tokenGapS - sentS;
    recorder.tpotS = output - thought > 1 ? tokenGapS : NaN;
    recorder.e2eS = nowS - sentS;
    this.desk.completed(slot, route);
  }

  /**
   * The end of an answer that comes after the horizon: its client pays as for any other, and nobody counts it. Returns the tokens
   * that are paid for.
   */
  payUnderWay(slot: number, finishS: number): number {
    const { table, nowS } = this.state;
    if (table.where[slot] === LEAVING) return 0;
    const expired = this.offers[table.replica[slot]].expired(table.attemptS[slot], finishS);
    return this.settle(slot, finishS <= nowS && !expired);
  }

  /** Recorder route of the offer that an attempt runs at. */
  routeOf(slot: number): number {
    return this.firstRoute + this.state.table.replica[slot];
  }

  /** Ends an attempt before its time; its slot is free when its answer would have ended. */
  cancel(slot: number): void {
    this.settle(slot, false);
    this.state.table.where[slot] = LEAVING;
  }

  /** Settles the limits and the bill of an attempt that ends now. Returns how many tokens it had produced. */
  private settle(slot: number, complete: boolean): number {
    const { table, nowS } = this.state;
    const o = table.replica[slot];
    const offer = this.offers[o];
    this.inFlightAt[o]--;
    const input = table.inputTokens[slot];
    const output = table.outputTokens[slot];
    const maxOutput = table.maxOutputTokens[slot];
    const cached = table.prefilledTokens[slot];
    const attemptS = table.attemptS[slot];
    const firstTokenS = table.firstTokenS[slot];
    const tokenGapS = table.tokenGapS[slot];
    offer.asStandard = table.asStandard[slot] === 1;
    const produced = complete ? output : producedTokens(nowS, firstTokenS, tokenGapS, output);
    if (complete) {
      offer.finish(nowS, attemptS, input, cached, maxOutput, output);
    } else {
      offer.fail(nowS, attemptS, input, cached, maxOutput, output, produced, firstTokenS, tokenGapS);
    }
    if (table.sentS[slot] < 0) return produced;
    const { billed } = offer;
    offer.bill(attemptS, input, cached, produced, Math.min(table.reasoningTokens[slot], produced));
    addUsage(this.book.usage(o, table.classIndex[slot]), billed);
    const usd = billed.inputUsd + billed.cachedUsd + billed.writtenUsd + billed.outputUsd + billed.requestUsd;
    this.desk.log.billed(targetOfRoute(this.routeOf(slot)), usd, complete);
    return produced;
  }

  /** When the client of an attempt ends it, whatever it gets. */
  private clientEndsS(slot: number): number {
    const { table, nowS } = this.state;
    const { client, patience } = this.desk;
    let endsS = table.deadlineS[slot];
    // A batch job is handed in; nobody holds a connection for it or watches it.
    if (this.offers[table.replica[slot]].spec.form?.kind === "batch") return endsS;
    const attemptTimeoutS = client.attemptTimeoutS ?? Infinity;
    if (nowS + attemptTimeoutS < endsS) endsS = nowS + attemptTimeoutS;
    if (patience === null) return endsS;
    const leavesS = table.sentS[slot] + patience.ofS(table.ordinal[slot]);
    return this.seenFromS(slot) > leavesS ? Math.min(endsS, Math.max(nowS, leavesS)) : endsS;
  }

  /** When the user sees the first token of an attempt: the one after what is thought. */
  private seenFromS(slot: number): number {
    const { table } = this.state;
    return table.firstTokenS[slot] + this.state.unseenTokens(slot) * table.tokenGapS[slot];
  }

  /** Has the user of an attempt that ends now left before its first token? */
  private hasLeft(slot: number): boolean {
    const { table, nowS } = this.state;
    const { patience } = this.desk;
    return (
      patience !== null && this.seenFromS(slot) > nowS && nowS >= table.sentS[slot] + patience.ofS(table.ordinal[slot])
    );
  }
}

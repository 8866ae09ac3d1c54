/** The attempts of one run at API offers: how an offer answers, how an answer ends, and what it costs. */
import { AT_OFFER } from "../engine/request-table.ts";
import { addUsage } from "../outcome/ledger.ts";
import { FAILED, TIMED_OUT } from "../outcome/recorder.ts";
import { ADMITTED, type Offer, OVERSIZE, producedTokens, RATE_LIMITED, RETIRED } from "../provider/offer.ts";
import type { RequestDesk } from "./request-desk.ts";
import { type RunBook, routeOfPool } from "./run-book.ts";
import { ANSWER_END, type RunState } from "./run-state.ts";
import { ERROR, LIMITED, NEVER, TAKEN } from "./target-answer.ts";

export class OfferSide {
  readonly offers: readonly Offer[];
  /** Attempts that run. */
  inFlight = 0;
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
      // A client that gives up before the answer ends closes the stream then.
      control.push(Math.min(offer.finishS, table.deadlineS[slot]), ANSWER_END, slot, offer.finishS);
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
    );
  }

  /** The answer of an offer ends: with its last token at `finishS`, as a job that expired then, or earlier because the client gave up. */
  answerEnds(slot: number, finishS: number): void {
    const { table, nowS } = this.state;
    const o = table.replica[slot];
    const offer = this.offers[o];
    const classIndex = table.classIndex[slot];
    const input = table.inputTokens[slot];
    const output = table.outputTokens[slot];
    const sentS = table.sentS[slot];
    const firstTokenS = table.firstTokenS[slot];
    const tokenGapS = table.tokenGapS[slot];
    const attemptS = table.attemptS[slot];
    const cached = table.prefilledTokens[slot];
    const maxOutput = table.maxOutputTokens[slot];
    const ended = finishS <= nowS;
    const expired = ended && offer.expired(attemptS, finishS);
    const complete = ended && !expired;
    const produced = complete ? output : producedTokens(nowS, firstTokenS, tokenGapS, output);
    offer.asStandard = table.asStandard[slot] === 1;
    if (complete) {
      offer.finish(nowS, attemptS, input, cached, maxOutput, output);
    } else {
      offer.fail(nowS, attemptS, input, cached, maxOutput, output, produced, firstTokenS, tokenGapS);
    }
    if (sentS >= 0) {
      offer.bill(attemptS, input, cached, produced, Math.min(table.reasoningTokens[slot], produced));
      addUsage(this.book.usage(o, classIndex), offer.billed);
    }
    this.inFlight--;
    const route = this.firstRoute + o;
    if (!complete) {
      this.desk.unanswered(slot, route, expired ? FAILED : TIMED_OUT);
      this.desk.end(slot);
      return;
    }
    if (output > 1 && sentS >= 0) this.book.offerItlS[classIndex].add(tokenGapS, output - 1);
    const { recorder } = this.book;
    const reasoning = table.reasoningTokens[slot];
    recorder.ttftS = firstTokenS + reasoning * tokenGapS - sentS;
    recorder.tpotS = output - reasoning > 1 ? tokenGapS : NaN;
    recorder.e2eS = nowS - sentS;
    this.desk.completed(slot, route);
  }
}

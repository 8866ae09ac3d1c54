/**
 * What the boundary does to a request on its way along a route: prompts that must be cleaned are, once, before they leave; and a
 * request that nobody who may has taken is counted if somebody who may not would have (see `ClassTotals.blockedByBoundary`).
 */
import type { Recorder } from "../outcome/recorder.ts";
import type { ResolvedStrategy, RouteTarget } from "../scenario/resolved.ts";
import type { OfferSide } from "./offer-side.ts";
import type { PoolSide } from "./pool-side.ts";
import { CLEANED, NOT_CLEANABLE, Redaction } from "./redaction.ts";
import type { RequestDesk } from "./request-desk.ts";
import type { RunBook } from "./run-book.ts";
import type { RunState } from "./run-state.ts";

/** The target may be tried. */
export const OPEN = 0;
/** What the request holds may not go there. */
export const BARRED = 1;
/** Its prompt is in the redaction step now, and is sent on when it is through. */
export const IN_STEP = 2;

export class BoundaryGate {
  private readonly state: RunState;
  private readonly desk: RequestDesk;
  private readonly poolSide: PoolSide;
  private readonly offerSide: OfferSide;
  private readonly book: RunBook;
  private readonly recorder: Recorder;
  private readonly routes: ResolvedStrategy["routes"];
  private readonly forbidden: ResolvedStrategy["forbidden"];
  private readonly redaction: Redaction | null;

  constructor(
    state: RunState,
    desk: RequestDesk,
    sides: { readonly poolSide: PoolSide; readonly offerSide: OfferSide },
    book: RunBook,
    { routes, forbidden, redaction }: ResolvedStrategy,
    { seed, replication }: { readonly seed: string; readonly replication: number },
  ) {
    this.state = state;
    this.desk = desk;
    this.poolSide = sides.poolSide;
    this.offerSide = sides.offerSide;
    this.book = book;
    this.recorder = desk.recorder;
    this.routes = routes;
    this.forbidden = forbidden;
    this.redaction = redaction === undefined ? null : new Redaction(redaction, seed, replication);
  }

  /** Before a target of its route is tried. */
  at(slot: number, target: RouteTarget): number {
    if (target.redact !== true) return OPEN;
    const { table } = this.state;
    if (table.redacted[slot] === CLEANED) return OPEN;
    if (table.redacted[slot] === NOT_CLEANABLE) return BARRED;
    const redaction = this.redaction!; // routes name it where the strategy has it
    if (table.sentS[slot] >= 0) {
      const use = this.book.redaction(table.classIndex[slot]);
      use.requests++;
      use.usd += redaction.costUsd(table.inputTokens[slot]);
    }
    this.desk.redact(slot, redaction);
    return IN_STEP;
  }

  /** Nobody who may has taken the request. */
  notTaken(slot: number): void {
    const { table } = this.state;
    const uncleaned = table.redacted[slot] === NOT_CLEANABLE;
    if (table.blocked[slot] === 1 || (this.forbidden === undefined && !uncleaned)) return;
    const classIndex = table.classIndex[slot];
    const wouldTake = (target: RouteTarget): boolean =>
      target.kind === "pool" ? this.poolSide.wouldTake(slot, target) : this.offerSide.wouldTake(slot, target.index);
    const barred = this.forbidden?.[classIndex].some(wouldTake) === true;
    if (
      !barred &&
      !(uncleaned && this.routes[classIndex].some((target) => target.redact === true && wouldTake(target)))
    )
      return;
    table.blocked[slot] = 1;
    this.recorder.blockedByBoundary(classIndex, table.sentS[slot]);
  }
}

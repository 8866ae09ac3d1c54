/**
 * Dispatch policies as plug-ins: one file each, entered in `registry.ts`. A policy says to which target of its class's route a
 * request goes first, and to which next when that one did not take it. The walk (`route-walk.ts`) keeps the rules:
 *   INV-7   no policy reads the length of an answer, only what answers were like so far.
 *   INV-13  a policy sees only the targets that the boundary rules left of the route.
 *   DSP-1   each target is tried once in a walk at most, so that every walk ends.
 *   DSP-2   luck is a function of the request or its session alone, so that compared strategies deal alike.
 */
import type { Step } from "../../scenario/dispatch.ts";

/** No target is left that the policy would send the request to. */
export const NO_TARGET = -1;

/** One request and the targets that it may go to, numbered as in its class's route. Simulated seconds, USD. */
export interface DispatchView {
  readonly nowS: number;
  /** Number of targets. */
  count(): number;
  /** Not tried in this walk, and no breaker keeps it shut. */
  isOpen(i: number): boolean;
  isPool(i: number): boolean;
  /** Requests in flight at a target: for a pool per serving replica (Infinity when none serves), for an offer all. */
  inFlight(i: number): number;
  inputTokens(): number;
  maxOutputTokens(): number;
  /** Uniform in (0, 1), for each target of its own: a function of the request and its number of retries. */
  luck(i: number): number;
  /** The same, a function of the session: the same for all its turns. */
  affinity(i: number): number;
  /** Uniform in (0, 1), one for all targets, a function of the session. */
  sessionLuck(): number;
  /** Target of the class for its first token; Infinity without one. */
  ttftTargetS(): number;
  /** Mean time to the first token of a target's latest answers, and the age of the last of them; NaN and Infinity before there is one. */
  ttftS(i: number): number;
  ttftAgeS(i: number): number;
  /** Of an idle target with this prompt, as far as it is known before it is asked; 0 for a pool. */
  idleTtftS(i: number): number;
  /** Price of this prompt now with an answer of the mean length that the class had so far; 0 for a pool, which is paid by the hour. */
  expectedUsd(i: number): number;
  /** Tokens of the prompt and of such an answer. */
  expectedTokens(): number;
}

export interface DispatchPolicy {
  /** The target to try now, an open one, or NO_TARGET. Called again when it did not take the request. */
  pick(view: DispatchView): number;
}

export interface NumberOption {
  readonly kind: "number";
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly doc: string;
}

/** A number for each target by its name. */
export interface ByTargetOption {
  readonly kind: "by-target";
  /** Of targets that are not named. */
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly doc: string;
}

/** A list of dates with what holds from then on; 0 before the first. */
export interface StepsOption {
  readonly kind: "steps";
  readonly min: number;
  readonly max: number;
  readonly doc: string;
}

export type DispatchOption = NumberOption | ByTargetOption | StepsOption;

/** Options of one class, checked and filled in. */
export interface DispatchOptions {
  readonly numbers: Readonly<Record<string, number>>;
  readonly byTarget: Readonly<Record<string, readonly number[]>>;
  readonly steps: Readonly<Record<string, readonly Step[]>>;
}

export interface DispatchPlugin {
  readonly name: string;
  readonly doc: string;
  readonly options: Readonly<Record<string, DispatchOption>>;
  create(options: DispatchOptions): DispatchPolicy;
}

/** The first open target of the route; NO_TARGET when none is. */
export function firstOpen(view: DispatchView): number {
  for (let i = 0, count = view.count(); i < count; i++) if (view.isOpen(i)) return i;
  return NO_TARGET;
}

/** What holds at `timeS`; 0 before the first step. */
export function stepAt(steps: readonly Step[], timeS: number): number {
  let value = 0;
  for (const step of steps) {
    if (step.fromS > timeS) break;
    value = step.value;
  }
  return value;
}

/**
 * Ends a sizing trial as soon as its fleet misses the SLO for certain. A class meets it when the mean of its attainment over the N
 * days of the trial is at least its target t. What a day still can reach is known while it runs:
 *   - by requests: at most n of them can be answered (`DayRequests`), so each miss takes at least 1/n off;
 *   - by windows: those of minutes whose requests have all ended are settled, and each later minute closes one at most.
 * So the SLO is missed when these shares sum to more than N·(1 − t) over the days. Days without an answer, which the mean leaves
 * out, have no share, and leaving them out makes a mean below 1 lower.
 */
import { targetsOf } from "../dispatch/run-book.ts";
import { MinuteWindows } from "../outcome/minute-windows.ts";
import { BOUNDARY_REFUSED, COMPLETED, IN_FLIGHT_AT_HORIZON, isMet, type RequestRows } from "../outcome/recorder.ts";
import type { RequestClass } from "../scenario/resolved.ts";

/** What is known of the requests of a day before it is simulated, by class. */
export interface DayRequests {
  /** So many can be answered at most. */
  readonly most: readonly number[];
  /** How many are sent in each minute, class by class; null where a request waits for the answer to another. */
  readonly sentByMinute: Uint32Array | null;
}

/** One day of a trial. */
export interface TrialDay {
  readonly requests: DayRequests;
  /** Index of the day among those of the trial. */
  readonly day: number;
  /**
   * In billionths, day by day and class by class: what is off the attainment for certain. All days of a trial write into it and read
   * it, on whatever threads they are, so that they end together. Whether a trial is ended is a matter of proof, not of who is first.
   */
  readonly missed: Int32Array;
}

/** A share of one in the units of `TrialDay.missed`. */
export const WHOLE = 1e9;
/** A day tells of its misses when so many shares of its requests were added: often enough, and cheap. */
const TOLD_PER_DAY = 10_000;

/** Thrown through the run that it ends. */
export class CertainMiss extends Error {}

/** Watches the requests of one day as they end. Throws `CertainMiss` when no rest of the trial could meet the SLO. */
export class MissWatch implements RequestRows {
  /** Requests that have had their outcome. */
  ended = 0;
  private readonly trial: TrialDay;
  private readonly classes: readonly ClassWatch[];

  /** `barred` classes are sent nowhere and have no part in the SLO. */
  constructor(trial: TrialDay, classes: readonly RequestClass[], barred: readonly boolean[]) {
    this.trial = trial;
    const { most, sentByMinute } = trial.requests;
    this.classes = classes.map((requestClass, c) => {
      if (barred[c] === true) return new ClassWatch(requestClass, NOTHING);
      if (requestClass.slo.attainBasis === "requests")
        return new ClassWatch(requestClass, new MissedRequests(most[c]!));
      if (sentByMinute === null) return new ClassWatch(requestClass, NOTHING);
      const minutes = sentByMinute.length / classes.length;
      const sent = sentByMinute.slice(c * minutes, (c + 1) * minutes);
      return new ClassWatch(requestClass, new MissedWindows(sent, requestClass.slo.targetFraction));
    });
  }

  row(
    _request: number,
    sentS: number,
    classIndex: number,
    _route: number,
    _inputTokens: number,
    _outputTokens: number,
    ttftS: number,
    tpotS: number,
    e2eS: number,
    outcome: number,
  ): void {
    if (outcome === IN_FLIGHT_AT_HORIZON) return;
    this.ended++;
    const { targets, misses } = this.classes[classIndex]!;
    const met = outcome === COMPLETED && isMet(targets, ttftS, tpotS, e2eS);
    const share = misses.ended(sentS, met, outcome !== BOUNDARY_REFUSED);
    if (share > 0) this.tell(classIndex, share);
  }

  /** Throws `CertainMiss` when the days have told of enough, which may be others. */
  check(): void {
    for (let c = 0; c < this.classes.length; c++) this.checkClass(c);
  }

  private tell(classIndex: number, share: number): void {
    const { missed, day } = this.trial;
    Atomics.store(missed, day * this.classes.length + classIndex, Math.floor(share * WHOLE));
    this.checkClass(classIndex);
  }

  private checkClass(classIndex: number): void {
    const { missed } = this.trial;
    const step = this.classes.length;
    let sum = 0;
    for (let i = classIndex; i < missed.length; i += step) sum += Atomics.load(missed, i);
    const allowed = (missed.length / step) * (1 - this.classes[classIndex]!.targetFraction);
    // One more than whole billionths: rounding proves nothing.
    if (sum > Math.ceil(allowed * WHOLE) + 1) throw new CertainMiss();
  }
}

/** How the misses of a class are counted. */
interface Misses {
  /** A request sent at `sentS` has ended. Returns the share that is off the attainment for certain when it is to be told, else 0. */
  ended(sentS: number, met: boolean, answered: boolean): number;
}

class ClassWatch {
  readonly targets: ReturnType<typeof targetsOf>;
  readonly targetFraction: number;
  readonly misses: Misses;

  constructor(requestClass: RequestClass, misses: Misses) {
    this.targets = targetsOf(requestClass);
    this.targetFraction = requestClass.slo.targetFraction;
    this.misses = misses;
  }
}

const NOTHING: Misses = { ended: () => 0 };

class MissedRequests implements Misses {
  private readonly most: number;
  private misses = 0;
  private toldAt = 1;

  constructor(most: number) {
    this.most = most;
  }

  ended(_sentS: number, met: boolean, answered: boolean): number {
    if (met || !answered || ++this.misses < this.toldAt) return 0;
    this.toldAt = this.misses + this.most / TOLD_PER_DAY;
    return this.misses / this.most;
  }
}

class MissedWindows implements Misses {
  private readonly windows: MinuteWindows;
  /** By minute of the first send: requests under way, those that were answered, those of them that met. */
  private readonly open: Uint32Array;
  private readonly answered: Uint32Array;
  private readonly met: Uint32Array;
  /** The first minute that is not settled. */
  private minute = 0;

  constructor(sentByMinute: Uint32Array, targetFraction: number) {
    this.windows = new MinuteWindows(targetFraction);
    this.open = sentByMinute;
    this.answered = new Uint32Array(sentByMinute.length);
    this.met = new Uint32Array(sentByMinute.length);
  }

  ended(sentS: number, met: boolean, answered: boolean): number {
    const minute = Math.floor(sentS / 60);
    if (answered) this.answered[minute]!++;
    if (met) this.met[minute]!++;
    if (--this.open[minute]! > 0 || minute !== this.minute) return 0;
    const { windows, open } = this;
    const last = open.length - 1;
    for (; this.minute <= last && open[this.minute] === 0; this.minute++)
      windows.add(this.answered[this.minute]!, this.met[this.minute]!, this.minute === last);
    const bad = windows.windows - windows.good;
    return bad === 0 ? 0 : bad / (windows.windows + open.length - this.minute);
  }
}

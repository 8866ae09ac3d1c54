/**
 * Sessions: they arrive openly, by the law of the single requests of `synthetic.ts`, and are closed inside: a turn is sent a
 * think time after the end of the turn before, whatever became of that one. Sub-agents run beside each other as sessions of
 * their own, and the turn after them waits for all. Times in seconds, lengths in tokens. Memory follows the sessions that are alive.
 *   TRF-5  The number of turns, lengths, class, think times and sub-agents of a session are functions of (spec, seed, replication,
 *          number of the session) alone, and so are the ordinals of its requests: compared strategies serve the same sessions,
 *          only the times of later turns follow service.
 */
import type { KnownText, MaxOutputRule, SessionSpec, SubAgents, SyntheticTraffic } from "../scenario/resolved.ts";
import { InvariantError } from "../kernel/errors.ts";
import { exp, normalQuantile } from "../kernel/math.ts";
import { counterKey, threefry2x32, unit, words } from "../kernel/random.ts";
import { cumulativeShares, discrete } from "../kernel/samplers.ts";
import { SlotHeap } from "../kernel/slot-heap.ts";
import { LengthSampler, maxOutputTokens } from "./lengths.ts";
import type { OpenTrafficOptions } from "./options.ts";
import { syntheticTraffic } from "./synthetic.ts";
import type { Traffic } from "./traffic.ts";

/** Second key words of the draws. */
const LENGTHS = 0;
const TURNS = 1;
const THINK = 2;
/** Of a turn: its break, its compaction, and the sub-agents before it. */
const EVENTS = 3;

/** A 32-bit word as a number in [0, 1). */
const PER_WORD = 2.3283064365386963e-10;

const NO_SLOT = -1;

/** Mean turns of a session. */
export function meanTurns({ turnShares }: SessionSpec): number {
  let weights = 0;
  let turns = 0;
  turnShares.forEach((share, i) => {
    weights += share;
    turns += share * (i + 1);
  });
  return turns / weights;
}

/** Mean requests of a session: its turns, and those of its sub-agents. */
export function meanRequests(spec: SessionSpec): number {
  const turns = meanTurns(spec);
  return spec.subAgents === undefined
    ? turns
    : turns + (turns - 1) * spec.subAgents.share * requestsAtOnce(spec.subAgents);
}

function requestsAtOnce({ parallel, calls }: SubAgents): number {
  return parallel * calls;
}

/**
 * Mean seconds that a session thinks from its first turn to its last. So much earlier than the window do sessions begin (times
 * LEAD_MEANS): a run then starts among sessions under way, as if their turns so far had been answered at once.
 */
function meanThinkS(spec: SessionSpec): number {
  const { breaks, ...pause } = spec.think;
  const mean = (law: { medianS: number; sigma: number }): number => law.medianS * exp((law.sigma * law.sigma) / 2);
  const share = breaks?.share ?? 0;
  return (meanTurns(spec) - 1) * ((1 - share) * mean(pause) + (breaks === undefined ? 0 : share * mean(breaks)));
}

const LEAD_MEANS = 4;
/** In place of a count of rewritings; text numbers leave room for so many of them. */
const CUT = 15;
/** No more sessions than this are walked before the window. */
const LEAD_SESSIONS = 100_000;

/** Sessions of `spec.sessions`, so many that the requests have the mean rate of `spec`; the cursor stands at the first arrival. */
export function sessionTraffic(spec: SyntheticTraffic, sessions: SessionSpec, options: OpenTrafficOptions): Traffic {
  return new SessionCursor(spec, sessions, options);
}

class SessionCursor implements Traffic, KnownText {
  timeS = Infinity;
  inputTokens = 0;
  outputTokens = 0;
  maxOutputTokens = 0;
  classIndex = 0;
  request = -1;
  readonly known: KnownText = this;
  readonly oneText = true;

  private readonly sessions: SessionSpec;
  private readonly maxOutput: MaxOutputRule;
  private readonly horizonS: number;
  private readonly starts: Traffic;
  private readonly first: LengthSampler;
  private readonly later: LengthSampler;
  /** First calls of sub-agents. */
  private readonly called: LengthSampler | null;
  private readonly turnShares: Float64Array;
  private readonly key: number;
  private sessionsSoFar = 0;
  private ordinalsSoFar = 0;
  /** Slot of the session whose first turn is still to be shown. */
  private starting = NO_SLOT;

  // By slot, of a session that is alive: its number, and the turn that is next or in flight.
  private number = new Float64Array(0);
  private classOf = new Uint8Array(0);
  private ordinal = new Float64Array(0);
  private turn = new Uint32Array(0);
  private turnsLeft = new Uint32Array(0);
  private input = new Float64Array(0);
  private output = new Float64Array(0);
  /** Times the context was rewritten; `CUT` once its beginning is lost. */
  private rewritten = new Uint8Array(0);
  private dueS = new Float64Array(0);
  // Sub-agents: of a session the ordinal and number of its next one, how many it waits for and when the last of them ended; of a
  // sub-agent the slot of its session.
  private nextOrdinal = new Float64Array(0);
  private nextNumber = new Float64Array(0);
  private running = new Uint32Array(0);
  private joinedS = new Float64Array(0);
  private parent = new Int32Array(0);
  private readonly free: number[] = [];
  /** Slots that have a next turn, by (due time, ordinal). */
  private readonly due = new SlotHeap((slot, other) => {
    const difference = this.dueS[slot]! - this.dueS[other]!;
    return difference < 0 || (difference === 0 && this.ordinal[slot]! < this.ordinal[other]!);
  });
  /** Slots whose turn is in flight, by its ordinal: open addressing from the ordinal's low bits, twice as many places as slots. */
  private inFlight = new Int32Array(1).fill(NO_SLOT);
  private askedOrdinal = -1;
  private askedSlot = NO_SLOT;

  constructor(spec: SyntheticTraffic, sessions: SessionSpec, options: OpenTrafficOptions) {
    this.sessions = sessions;
    this.maxOutput = spec.maxOutput;
    this.horizonS = options.horizonS;
    const ratePerS = spec.meanRatePerS / meanRequests(sessions);
    const leadS = ratePerS > 0 ? Math.min(LEAD_MEANS * meanThinkS(sessions), LEAD_SESSIONS / ratePerS) : 0;
    const one = { kind: "constant", tokens: 1 } as const;
    this.starts = syntheticTraffic(
      { ...spec, meanRatePerS: ratePerS, input: one, output: one, spearman: 0 },
      { ...options, warmupS: options.warmupS + leadS },
    );
    this.first = new LengthSampler(spec.input, spec.output, spec.spearman, spec.maxOutput);
    this.later = new LengthSampler(sessions.newInput, spec.output, spec.spearman, spec.maxOutput);
    const { subAgents } = sessions;
    this.called =
      subAgents === undefined ? null : new LengthSampler(subAgents.input, spec.output, spec.spearman, spec.maxOutput);
    this.turnShares = cumulativeShares(sessions.turnShares);
    const offsetS = options.offsetS ?? 0;
    const part = offsetS === 0 ? "" : `/from-${offsetS}`;
    this.key = counterKey(options.seed, options.replication, `traffic/sessions${part}`);
    this.startNext(-options.warmupS);
    this.showHead();
  }

  advance(): void {
    if (this.due.size === 0) return;
    const slot = this.due.first();
    this.enterFlight(slot);
    this.due.pop();
    if (slot === this.starting) this.startNext(this.timeS);
    this.showHead();
  }

  /** The session of `request` thinks and goes on, or ends. Throws InvariantError when that request is not in flight. */
  onComplete(request: number, timeS: number): void {
    const place = this.placeOf(request);
    const slot = this.inFlight[place]!;
    if (slot === NO_SLOT) throw new InvariantError("TRF-5", { request, inFlight: false });
    this.leaveFlight(place);
    this.askedOrdinal = -1;
    if (this.sessions.subAgents !== undefined && this.callsSubAgents(slot, timeS)) return;
    if (this.goesOn(slot, timeS)) this.queue(slot);
    else if (this.parent[slot] !== NO_SLOT) this.joins(slot, timeS);
    else this.free.push(slot);
  }

  /** A turn is set up: it is sent before the horizon, or its session ends there. */
  private queue(slot: number): void {
    if (this.dueS[slot]! < this.horizonS) {
      this.due.push(slot);
      this.showHead();
    } else this.free.push(slot);
  }

  session(ordinal: number): number {
    const slot = this.slotOf(ordinal);
    return slot === NO_SLOT ? ordinal : this.number[slot]!;
  }

  text(ordinal: number): number {
    const slot = this.slotOf(ordinal);
    if (slot === NO_SLOT || this.rewritten[slot] === CUT || !this.sessions.carryContext) return -1;
    const number = this.number[slot]!;
    return this.sessions.compaction === undefined ? number : number * CUT + this.rewritten[slot]!;
  }

  /** Asked block by block, so the last answer is kept. */
  private slotOf(ordinal: number): number {
    if (ordinal !== this.askedOrdinal) {
      this.askedOrdinal = ordinal;
      this.askedSlot = this.inFlight[this.placeOf(ordinal)]!;
    }
    return this.askedSlot;
  }

  // ---------------------------------------------------------------- sessions

  /** Queues the first session that has a turn at or after `fromS`. */
  private startNext(fromS: number): void {
    const { starts, sessions } = this;
    this.starting = NO_SLOT;
    for (; starts.timeS < this.horizonS; starts.advance()) {
      const slot = this.takeSlot();
      const number = this.sessionsSoFar++;
      threefry2x32(this.key, TURNS, number, 0);
      const turns = 1 + discrete(this.turnShares, (words[0]! >>> 0) * PER_WORD);
      this.number[slot] = number;
      this.classOf[slot] = starts.classIndex;
      this.ordinal[slot] = this.ordinalsSoFar;
      this.turn[slot] = 0;
      this.turnsLeft[slot] = turns - 1;
      this.ordinalsSoFar += turns;
      this.parent[slot] = NO_SLOT;
      if (sessions.subAgents !== undefined) this.reserve(slot, turns, sessions.subAgents);
      this.drawLengths(slot, this.first);
      const prompt = this.first.inputTokens;
      this.rewritten[slot] = prompt > sessions.maxContextTokens ? CUT : 0;
      this.input[slot] = Math.min(prompt, sessions.maxContextTokens);
      this.dueS[slot] = starts.timeS;
      let alive = true;
      while (alive && this.dueS[slot]! < fromS) {
        if (sessions.subAgents !== undefined) this.skipsSubAgents(slot, sessions.subAgents);
        alive = this.goesOn(slot, this.dueS[slot]!);
      }
      if (!alive || this.dueS[slot]! >= this.horizonS) {
        this.free.push(slot);
        continue;
      }
      this.due.push(slot);
      if (starts.timeS < fromS) continue;
      this.starting = slot;
      starts.advance();
      return;
    }
  }

  /** The turn of a session has ended at `timeS`: sets up the next one; false when that was the last. */
  private goesOn(slot: number, timeS: number): boolean {
    if (this.turnsLeft[slot] === 0) return false;
    const { think, carryContext, maxContextTokens, compaction } = this.sessions;
    this.turnsLeft[slot]!--;
    this.ordinal[slot]!++;
    const turn = ++this.turn[slot]!;
    let pause: { readonly medianS: number; readonly sigma: number } = think;
    let context = carryContext ? this.input[slot]! + this.output[slot]! : 0;
    if (think.breaks !== undefined || compaction !== undefined) {
      threefry2x32(this.key, EVENTS, this.number[slot]!, turn);
      if (think.breaks !== undefined && (words[0]! >>> 0) * PER_WORD < think.breaks.share) pause = think.breaks;
      if (compaction !== undefined && (words[1]! >>> 0) * PER_WORD < compaction.share) {
        context = Math.round(context * compaction.keptFraction);
        if (this.rewritten[slot]! < CUT - 1) this.rewritten[slot]!++;
      }
    }
    threefry2x32(this.key, THINK, this.number[slot]!, turn);
    this.dueS[slot] = timeS + pause.medianS * exp(pause.sigma * normalQuantile(unit(words[0]!)));
    this.drawLengths(slot, this.later);
    const prompt = context + this.later.inputTokens;
    // What is cut from the front moves all that follows: nothing of it is found again.
    if (prompt > maxContextTokens) this.rewritten[slot] = CUT;
    this.input[slot] = Math.min(prompt, maxContextTokens);
    return true;
  }

  // ---------------------------------------------------------------- sub-agents

  /** Whether agents run between turn `turn` of a session and the next. */
  private fansOut(number: number, turn: number, { share }: SubAgents): boolean {
    threefry2x32(this.key, THINK, number, turn + 1);
    return (words[1]! >>> 0) * PER_WORD < share;
  }

  /** Ordinals and numbers of all sub-agents that a session will have. */
  private reserve(slot: number, turns: number, subAgents: SubAgents): void {
    let times = 0;
    for (let turn = 0; turn + 1 < turns; turn++) if (this.fansOut(this.number[slot]!, turn, subAgents)) times++;
    this.nextOrdinal[slot] = this.ordinalsSoFar;
    this.nextNumber[slot] = this.sessionsSoFar;
    this.ordinalsSoFar += times * requestsAtOnce(subAgents);
    this.sessionsSoFar += times * subAgents.parallel;
    this.running[slot] = 0;
  }

  /** A session that began before the window has had its sub-agents. */
  private skipsSubAgents(slot: number, subAgents: SubAgents): void {
    if (this.turnsLeft[slot] === 0 || !this.fansOut(this.number[slot]!, this.turn[slot]!, subAgents)) return;
    this.nextOrdinal[slot]! += requestsAtOnce(subAgents);
    this.nextNumber[slot]! += subAgents.parallel;
  }

  /** Starts the agents that run after the turn that has ended, if any do. */
  private callsSubAgents(slot: number, timeS: number): boolean {
    const subAgents = this.sessions.subAgents!;
    if (this.parent[slot] !== NO_SLOT || this.turnsLeft[slot] === 0) return false;
    if (!this.fansOut(this.number[slot]!, this.turn[slot]!, subAgents)) return false;
    const { parallel, calls } = subAgents;
    const { think } = this.sessions;
    let shown = false;
    this.running[slot] = parallel;
    this.joinedS[slot] = timeS;
    for (let i = 0; i < parallel; i++) {
      const agent = this.takeSlot();
      this.number[agent] = this.nextNumber[slot]!++;
      this.ordinal[agent] = this.nextOrdinal[slot]!;
      this.nextOrdinal[slot]! += calls;
      this.classOf[agent] = this.classOf[slot]!;
      this.parent[agent] = slot;
      this.turn[agent] = 0;
      this.turnsLeft[agent] = calls - 1;
      this.drawLengths(agent, this.called!);
      this.rewritten[agent] = 0;
      this.input[agent] = Math.min(this.called!.inputTokens, this.sessions.maxContextTokens);
      threefry2x32(this.key, THINK, this.number[agent]!, 0);
      this.dueS[agent] = timeS + think.medianS * exp(think.sigma * normalQuantile(unit(words[0]!)));
      // Beyond the horizon nobody waits any more.
      if (this.dueS[agent]! >= this.horizonS) continue;
      this.due.push(agent);
      shown = true;
    }
    if (shown) this.showHead();
    return true;
  }

  /** A sub-agent has made its last call; its session goes on after the last of them. */
  private joins(agent: number, timeS: number): void {
    const slot = this.parent[agent]!;
    this.free.push(agent);
    if (timeS > this.joinedS[slot]!) this.joinedS[slot] = timeS;
    if (--this.running[slot]! > 0) return;
    this.goesOn(slot, this.joinedS[slot]!);
    this.queue(slot);
  }

  private drawLengths(slot: number, lengths: LengthSampler): void {
    threefry2x32(this.key, LENGTHS, this.number[slot]!, this.turn[slot]!);
    lengths.draw(unit(words[0]!), unit(words[1]!));
    this.output[slot] = lengths.outputTokens;
  }

  /** Fills the fields from the head of the queue. */
  private showHead(): void {
    if (this.due.size === 0) {
      this.timeS = Infinity;
      return;
    }
    const slot = this.due.first();
    this.timeS = this.dueS[slot]!;
    this.request = this.ordinal[slot]!;
    this.inputTokens = this.input[slot]!;
    this.outputTokens = this.output[slot]!;
    this.maxOutputTokens = maxOutputTokens(this.maxOutput, this.outputTokens);
    this.classIndex = this.classOf[slot]!;
  }

  // ---------------------------------------------------------------- slots and the queue

  private takeSlot(): number {
    const freed = this.free.pop();
    if (freed !== undefined) return freed;
    const old = this.number.length;
    const size = Math.max(64, 2 * old);
    this.number = grown(this.number, new Float64Array(size));
    this.classOf = grown(this.classOf, new Uint8Array(size));
    this.ordinal = grown(this.ordinal, new Float64Array(size));
    this.turn = grown(this.turn, new Uint32Array(size));
    this.turnsLeft = grown(this.turnsLeft, new Uint32Array(size));
    this.input = grown(this.input, new Float64Array(size));
    this.output = grown(this.output, new Float64Array(size));
    this.rewritten = grown(this.rewritten, new Uint8Array(size));
    this.dueS = grown(this.dueS, new Float64Array(size));
    this.nextOrdinal = grown(this.nextOrdinal, new Float64Array(size));
    this.nextNumber = grown(this.nextNumber, new Float64Array(size));
    this.running = grown(this.running, new Uint32Array(size));
    this.joinedS = grown(this.joinedS, new Float64Array(size));
    this.parent = grown(this.parent, new Int32Array(size));
    const flying = this.inFlight.filter((slot) => slot !== NO_SLOT);
    this.inFlight = new Int32Array(2 * size).fill(NO_SLOT);
    for (const slot of flying) this.enterFlight(slot);
    for (let slot = size - 1; slot > old; slot--) this.free.push(slot);
    return old;
  }

  /** Where the slot of an ordinal in flight stands; an empty place when there is none. */
  private placeOf(ordinal: number): number {
    const places = this.inFlight;
    const mask = places.length - 1;
    let place = (ordinal >>> 0) & mask;
    while (places[place] !== NO_SLOT && this.ordinal[places[place]!] !== ordinal) place = (place + 1) & mask;
    return place;
  }

  private enterFlight(slot: number): void {
    this.inFlight[this.placeOf(this.ordinal[slot]!)] = slot;
  }

  private leaveFlight(place: number): void {
    const places = this.inFlight;
    const mask = places.length - 1;
    let hole = place;
    // Whoever probed past the hole moves into it.
    for (let at = (hole + 1) & mask; places[at] !== NO_SLOT; at = (at + 1) & mask) {
      const home = (this.ordinal[places[at]!]! >>> 0) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      places[hole] = places[at]!;
      hole = at;
    }
    places[hole] = NO_SLOT;
  }
}

function grown<T extends Float64Array | Int32Array | Uint32Array | Uint8Array>(old: T, fresh: T): T {
  fresh.set(old);
  return fresh;
}

/**
 * Closed traffic: N users, each with one request in flight or thinking. Seconds and tokens.
 *   TRF-3  Never more than N requests in flight.
 *   TRF-4  The lengths, class and think time of user u's k-th request are functions of (seed, replication, u, k) alone,
 *          and so is its ordinal k·N + u: compared strategies serve the same sessions, only their times follow service.
 */
import type { LengthDistribution, MaxOutputRule } from "../scenario/resolved.ts";
import { InvariantError } from "../kernel/errors.ts";
import { exp, normalQuantile } from "../kernel/math.ts";
import { counterKey, threefry2x32, unit, words } from "../kernel/random.ts";
import { cumulativeShares, discrete } from "../kernel/samplers.ts";
import { SlotHeap } from "../kernel/slot-heap.ts";
import { LengthSampler } from "./lengths.ts";
import type { TrafficOptions } from "./options.ts";
import type { Traffic } from "./traffic.ts";

export interface ClosedLoop {
  readonly users: number;
  /** Lognormal pause between the end of a request and the user's next, also before the first; null = none. */
  readonly think: { readonly medianS: number; readonly sigma: number } | null;
  readonly input: LengthDistribution;
  readonly output: LengthDistribution;
  readonly spearman: number;
  readonly maxOutput: MaxOutputRule;
}

/** Opens the loop: every user starts at −warmupS, after a think time if there is one. No request starts at or after horizonS. */
export function closedLoopTraffic(loop: ClosedLoop, options: TrafficOptions): Traffic {
  return new ClosedLoopCursor(loop, options);
}

const LENGTHS = 0;
const CLASS_AND_THINK = 1;

class ClosedLoopCursor implements Traffic {
  timeS = Infinity;
  inputTokens = 0;
  outputTokens = 0;
  maxOutputTokens = 0;
  classIndex = 0;
  request = -1;

  private readonly users: number;
  private readonly think: ClosedLoop["think"];
  private readonly horizonS: number;
  private readonly lengths: LengthSampler;
  private readonly shares: Float64Array;
  private readonly key: number;
  /** By user: the ordinal of the request that is next or in flight, and whether it is in flight. */
  private readonly turn: Uint32Array;
  private readonly inFlight: Uint8Array;
  private readonly dueS: Float64Array;
  /** Users who have a next request, by (due time, user). */
  private readonly due = new SlotHeap((user, other) => {
    const difference = this.dueS[user]! - this.dueS[other]!;
    return difference < 0 || (difference === 0 && user < other);
  });

  constructor(loop: ClosedLoop, options: TrafficOptions) {
    this.users = loop.users;
    this.think = loop.think;
    this.horizonS = options.horizonS;
    this.lengths = new LengthSampler(loop.input, loop.output, loop.spearman, loop.maxOutput);
    this.shares = cumulativeShares(options.classShares);
    this.key = counterKey(options.seed, options.replication, "traffic/closed-loop");
    this.turn = new Uint32Array(loop.users);
    this.inFlight = new Uint8Array(loop.users);
    this.dueS = new Float64Array(loop.users);
    for (let user = 0; user < loop.users; user++) this.release(user, -options.warmupS);
    this.showHead();
  }

  advance(): void {
    if (this.due.size === 0) return;
    this.inFlight[this.due.first()] = 1;
    this.due.pop();
    this.showHead();
  }

  /** The user of `request` thinks and comes again. Throws InvariantError when that request is not in flight. */
  onComplete(request: number, timeS: number): void {
    const user = request % this.users;
    if (this.inFlight[user] !== 1 || this.turn[user] !== (request - user) / this.users) {
      throw new InvariantError("TRF-3", { request, user, turn: this.turn[user], inFlight: this.inFlight[user] });
    }
    this.inFlight[user] = 0;
    this.turn[user]!++;
    this.release(user, timeS);
    this.showHead();
  }

  /** Queues the user's next request after a think time, unless the horizon comes first. */
  private release(user: number, timeS: number): void {
    let dueS = timeS;
    if (this.think !== null) {
      threefry2x32(this.key, CLASS_AND_THINK, user, this.turn[user]!);
      dueS += this.think.medianS * exp(this.think.sigma * normalQuantile(unit(words[1]!)));
    }
    if (dueS >= this.horizonS) return;
    this.dueS[user] = dueS;
    this.due.push(user);
  }

  /** Fills the fields from the head of the queue. */
  private showHead(): void {
    if (this.due.size === 0) {
      this.timeS = Infinity;
      return;
    }
    const user = this.due.first();
    const turn = this.turn[user]!;
    this.timeS = this.dueS[user]!;
    this.request = turn * this.users + user;
    threefry2x32(this.key, LENGTHS, user, turn);
    this.lengths.draw(unit(words[0]!), unit(words[1]!));
    this.inputTokens = this.lengths.inputTokens;
    this.outputTokens = this.lengths.outputTokens;
    this.maxOutputTokens = this.lengths.maxOutputTokens;
    if (this.shares.length > 1) {
      threefry2x32(this.key, CLASS_AND_THINK, user, turn);
      this.classIndex = discrete(this.shares, (words[0]! >>> 0) * 2.3283064365386963e-10);
    }
  }
}

/**
 * Traffic of many independent clients, merged in order of time. Mean rates are lognormal at the middles of `count` equal
 * shares of probability, so that skew and total are the same in every replication; gaps, fluctuation, presence and
 * lengths are drawn per client. The request's ordinal counts over all of them.
 */
import type { ClientMix, SyntheticTraffic } from "../scenario/resolved.ts";
import { exp, normalQuantile } from "../kernel/math.ts";
import { SlotHeap } from "../kernel/slot-heap.ts";
import { clientLengths } from "./client-lengths.ts";
import type { OpenTrafficOptions } from "./options.ts";
import type { Traffic } from "./traffic.ts";

/** Shares of the mean rate, largest first, sum 1. With a `topShare` the largest has it, and what others have beyond it goes to the rest. */
export function clientShares({ count, rateSigma, topShare }: ClientMix): Float64Array {
  const shares = new Float64Array(count);
  let total = 0;
  for (let i = 0; i < count; i++) total += shares[i] = exp(rateSigma * normalQuantile((count - i - 0.5) / count));
  if (topShare === undefined) return shares.map((share) => share / total);
  // Largest first: the first that fits under the limit is followed by smaller ones.
  let left = 1;
  for (let i = 0; i < count; i++) {
    const own = shares[i]!;
    shares[i] = i === 0 ? Math.max(topShare, 1 / count) : Math.min(topShare, (left * own) / total);
    left -= shares[i]!;
    total -= own;
  }
  return shares;
}

/**
 * Which clients come and go: from the largest on, a client stays always present as long as the always present ones
 * carry at most their part of the requests.
 */
export function intermittentClients(mix: ClientMix, shares: Float64Array): boolean[] {
  let steady = 1 - (mix.intermittent?.volumeShare ?? 0);
  return Array.from(shares, (share) => {
    if (mix.intermittent === null || share <= steady + 1e-9) {
      steady -= share;
      return false;
    }
    return true;
  });
}

export type OpenClient = (spec: SyntheticTraffic, options: OpenTrafficOptions, isIntermittent: boolean) => Traffic;

export class ClientsCursor implements Traffic {
  timeS = Infinity;
  inputTokens = 0;
  outputTokens = 0;
  maxOutputTokens = 0;
  classIndex = 0;
  request = -1;

  private readonly clients: readonly Traffic[];
  /** All of them, by (time of the next request, number). */
  private readonly due = new SlotHeap((client, other) => {
    const timeS = this.clients[client]!.timeS;
    const otherS = this.clients[other]!.timeS;
    return timeS < otherS || (timeS === otherS && client < other);
  });

  constructor(spec: SyntheticTraffic, mix: ClientMix, options: OpenTrafficOptions, open: OpenClient) {
    const shares = clientShares(mix);
    const intermittent = intermittentClients(mix, shares);
    const lengths = clientLengths(spec, mix, shares, options);
    this.clients = Array.from(shares, (share, client) => {
      const own = { ...spec, ...lengths?.[client], meanRatePerS: spec.meanRatePerS * share };
      return open(own, { ...options, client }, intermittent[client]!);
    });
    for (let client = 0; client < mix.count; client++) this.due.push(client);
    this.show();
  }

  advance(): void {
    if (this.timeS === Infinity) return;
    this.clients[this.due.first()]!.advance();
    this.due.firstMoved();
    this.show();
  }

  /** Open traffic does not listen. */
  onComplete(): void {}

  private show(): void {
    const next = this.clients[this.due.first()]!;
    this.timeS = next.timeS;
    if (next.timeS === Infinity) return;
    this.request++;
    this.inputTokens = next.inputTokens;
    this.outputTokens = next.outputTokens;
    this.maxOutputTokens = next.maxOutputTokens;
    this.classIndex = next.classIndex;
  }
}

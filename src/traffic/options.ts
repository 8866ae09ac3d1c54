/**
 * What every kind of traffic is opened with: the window in seconds and the luck of one replication.
 */
import type { ReasoningLaw } from "../scenario/resolved.ts";
import { stream, type Draw } from "../kernel/random.ts";

/** The window and the seeds of one replication, the same for open and closed traffic. */
export interface TrafficOptions {
  readonly warmupS: number;
  readonly horizonS: number;
  readonly seed: string;
  readonly replication: number;
  /** By class index; any positive scale. */
  readonly classShares: readonly number[];
}

export interface OpenTrafficOptions extends TrafficOptions {
  /** UTC seconds since 1970 at the experiment's start. */
  readonly startEpochS: number;
  /**
   * Where t = 0 lies, seconds after the experiment's start; 0 unless set. A part [fromS, toS) of the experiment is
   * `offsetS = fromS, horizonS = toS − fromS`: same rate, season and growth, a burst path and requests of its own.
   */
  readonly offsetS?: number;
  /** By class index: thinking before its answers; left out where no class thinks. */
  readonly reasoning?: readonly (ReasoningLaw | undefined)[];
  /** Which client of a mix draws; each has streams of its own, so that one more client moves no other. */
  readonly client?: number;
}

/** The named stream of one aspect of the traffic; another part of the experiment has streams of its own. */
export function trafficStream(options: OpenTrafficOptions, name: string): Draw {
  const offsetS = options.offsetS ?? 0;
  const whose = options.client === undefined ? `traffic/${name}` : `traffic/client-${options.client}/${name}`;
  return stream(options.seed, options.replication, offsetS === 0 ? whose : `${whose}/from-${offsetS}`);
}

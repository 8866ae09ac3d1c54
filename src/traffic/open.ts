/** Opens the traffic that a resolved experiment names, synthetic or recorded. */
import type { ResolvedTraffic } from "../scenario/resolved.ts";
import type { OpenTrafficOptions } from "./options.ts";
import { replayTraffic } from "./replay.ts";
import { syntheticTraffic } from "./synthetic.ts";
import type { Traffic } from "./traffic.ts";

/** The cursor stands at the first arrival of the window. Throws DataError on a broken recording. */
export function openTraffic(traffic: ResolvedTraffic, options: OpenTrafficOptions): Traffic {
  return traffic.kind === "replay" ? replayTraffic(traffic, options) : syntheticTraffic(traffic, options);
}

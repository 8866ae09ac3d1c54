/** Opens the traffic that a resolved experiment names, synthetic or recorded. */
import type { ResolvedTraffic } from "../scenario/resolved.ts";
import type { OpenTrafficOptions } from "./options.ts";
import { replayTraffic } from "./replay.ts";
import { sessionTraffic } from "./sessions.ts";
import { syntheticTraffic } from "./synthetic.ts";
import type { Traffic } from "./traffic.ts";

/** The cursor stands at the first arrival of the window. Throws DataError on a broken recording. */
export function openTraffic(traffic: ResolvedTraffic, options: OpenTrafficOptions): Traffic {
  if (traffic.kind === "replay") return replayTraffic(traffic, options);
  const { sessions } = traffic;
  return sessions === undefined ? syntheticTraffic(traffic, options) : sessionTraffic(traffic, sessions, options);
}

/** Opens the traffic that a resolved experiment names, synthetic or recorded. */
import type { ResolvedTraffic } from "../scenario/resolved.ts";
import type { OpenTrafficOptions } from "./options.ts";
import { replayTraffic } from "./replay.ts";
import { sessionTraffic } from "./sessions.ts";
import { syntheticTraffic } from "./synthetic.ts";
import { ThinkingTraffic } from "./thinking.ts";
import type { Traffic } from "./traffic.ts";

/** The cursor stands at the first arrival of the window. Throws DataError on a broken recording. */
export function openTraffic(traffic: ResolvedTraffic, options: OpenTrafficOptions): Traffic {
  const { reasoning = [] } = options;
  const opened = openPlain(traffic, options);
  return reasoning.some((law) => law !== undefined)
    ? new ThinkingTraffic(opened, reasoning, traffic.maxOutput, options)
    : opened;
}

function openPlain(traffic: ResolvedTraffic, options: OpenTrafficOptions): Traffic {
  if (traffic.kind === "replay") return replayTraffic(traffic, options);
  const { sessions } = traffic;
  return sessions === undefined ? syntheticTraffic(traffic, options) : sessionTraffic(traffic, sessions, options);
}

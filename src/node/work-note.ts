/** Says beforehand that an experiment takes long to simulate, and what makes it shorter. */
import type { ResolvedExperiment } from "../scenario/resolved.ts";
import { requestsToSimulate, simulationS } from "../experiment/work.ts";
import { plural } from "../report/format.ts";
import { duration } from "./progress.ts";

/** Below this nobody has to plan for it. */
const LONG_S = 300;

/** One line on what a run takes on so many threads; null when that is not long. */
export function workNote(experiment: ResolvedExperiment, threads: number): string | null {
  const requests = requestsToSimulate(experiment);
  const seconds = simulationS(requests, threads);
  if (seconds < LONG_S) return null;
  const millions = Math.round(requests / 1e6).toLocaleString("en-US");
  // Of a factor of two: no seconds.
  const minutes = duration(60 * Math.ceil(seconds / 60)).replace(" 0s", "");
  return `To simulate: about ${millions} million requests, some ${minutes} on ${plural(threads, "thread")}; fewer days or replications make it shorter.`;
}

import type { KnownText } from "../scenario/resolved.ts";

/**
 * Where requests come from, as the fleet sees it: a cursor that holds one arrival, so no queue of future arrivals
 * exists and memory is flat in the horizon. The fields are read and `advance` called once per request in the hot loop.
 */
export interface Traffic {
  /** Time of the next arrival, seconds since t = 0 (negative in the warm-up); Infinity when none is known. */
  timeS: number;
  inputTokens: number;
  outputTokens: number;
  /** Part of the output that comes before what the user sees; absent = none. */
  reasoningTokens?: number;
  /** What the client would send as max_tokens. */
  maxOutputTokens: number;
  classIndex: number;
  /** Ordinal of the request in this replication, the counter of its counter-based draws. */
  request: number;
  /** What prompts have in common; absent, nothing is known of it. */
  readonly known?: KnownText;
  /** Moves to the arrival after this one. */
  advance(): void;
  /** The fleet calls this when a request ended (however); a closed source may then have a new, earlier `timeS`. */
  onComplete(request: number, timeS: number): void;
}

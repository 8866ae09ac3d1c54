/** The most that an experiment may ask for, in its file or on the command line: beyond it a number is a slip. */

/** More than any fleet or provider was ever asked for. */
export const MOST_REQUESTS_PER_S = 10_000_000;
/** Some ten years. */
export const MOST_DAYS = 3660;
export const MOST_REPLICATIONS = 1000;
/** A client that waits less has given up before anything could come; its requests are looked through once in that time. */
export const SHORTEST_TIMEOUT_S = 0.001;
/** Of a pool, serving. Enough of most models for a billion requests a day. */
export const MOST_REPLICAS = 16_384;

/** The most that an experiment may ask for, in its file or on the command line: beyond it a number is a slip. */

/** More than any fleet or provider was ever asked for. */
export const MOST_REQUESTS_PER_S = 10_000_000;
/** Some ten years. */
export const MOST_DAYS = 3660;
export const MOST_REPLICATIONS = 1000;

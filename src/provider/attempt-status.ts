/** How an attempt at an API offer comes out. */

/** The attempt runs: `firstTokenS`, `tokenGapS` and `finishS` hold, and `finish` or `fail` must follow. */
export const ADMITTED = 0;
/** 429: a limit of the own account, or no capacity under its form. */
export const RATE_LIMITED = 1;
/** 503 or 529: the provider is overloaded, whatever the own quota. */
export const OVERLOADED = 2;
/** 5xx in an outage of the provider. */
export const OUTAGE = 3;
/** 400: no quota or context window could ever take it. Permanent, never retried. */
export const OVERSIZE = 4;
/** 404: the model is retired and its replacement not in use yet. Permanent as long as that lasts. */
export const RETIRED = 5;
export type AttemptStatus =
  typeof ADMITTED | typeof RATE_LIMITED | typeof OVERLOADED | typeof OUTAGE | typeof OVERSIZE | typeof RETIRED;

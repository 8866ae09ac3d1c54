/** How a pool or an offer answers a request that is sent to it. */

export const TAKEN = 0;
/** 429. */
export const LIMITED = 1;
/** The pool's own limits or its overflow threshold. */
export const FULL = 2;
/** 5xx, overload, outage. */
export const ERROR = 3;
/** No replica serves. */
export const ABSENT = 4;
/** Could never fit. */
export const NEVER = 5;
/** How many answers there are. */
export const ANSWERS = 6;

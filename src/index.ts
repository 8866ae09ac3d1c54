/**
 * The public library, pure: it runs in Node and in a browser worker alike. Only what is exported here is promised.
 * Feed `resolveExperiment` a parsed experiment file and a catalogue, find the size of its fleets with `setUp`, give each `RunTask` to
 * `runOne` on whatever thread, put the outcomes together with `summarise`, and let `decideExperiment` judge.
 */
export { buildCatalog } from "./catalog/catalog.ts";
export type { Catalog } from "./catalog/schema.ts";
export { decideExperiment } from "./decision/from-summary.ts";
export type { Summary } from "./decision/summary.ts";
export { resolveExperiment } from "./experiment/resolve.ts";
export { runOne, type RunOutcome, type RunTask } from "./experiment/run-one.ts";
export { setUp, THIS_THREAD, type SetUpListener, type SetUpThreads } from "./experiment/set-up.ts";
export { summarise } from "./experiment/summarise.ts";
export { ConfigError, DataError, InfeasibleError, InvariantError } from "./kernel/errors.ts";
export type { ResolvedExperiment } from "./scenario/resolved.ts";

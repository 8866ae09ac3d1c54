/**
 * The call into a plug-in that a worker thread is in, in memory that the main thread reads: a call that does not return is
 * ended from there. What is timed is one call, never a run, so that a policy which is slow a million times is left alone.
 */

/** What is called; `load` evaluates the file. */
const METHODS = ["load", "create", "charges", "schedule", "leap", "wakes", "key"] as const;
export type PluginMethod = (typeof METHODS)[number];

/**
 * How long one call may take, unless --plugin-timeout says otherwise. Deciding on a step takes microseconds and a solver a
 * second or so; a minute within one step of one replica would make years of a run.
 */
export const CALL_LIMIT_S = 60;

/** Words of the shared memory. */
const BEGUN_AND_ENDED = 0;
const SOURCE = 1;
const POLICY = 2;
const METHOD = 3;
const WORDS = 4;

export interface PluginCall {
  /** Index among the plug-in files. */
  readonly source: number;
  /** Index among the policies that were entered; null while the file is loaded. */
  readonly policy: number | null;
  readonly method: PluginMethod;
  /** Tells it from other calls of the same method in its task. */
  readonly ordinal: number;
}

export function callMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT);
}

/** The call that is under way in the thread that writes this memory, null outside of plug-ins. */
export function callUnderWay(memory: SharedArrayBuffer): PluginCall | null {
  const words = new Int32Array(memory);
  const ordinal = Atomics.load(words, BEGUN_AND_ENDED);
  if (ordinal % 2 === 0) return null;
  const policy = words[POLICY]!;
  return { source: words[SOURCE]!, policy: policy < 0 ? null : policy, method: METHODS[words[METHOD]!]!, ordinal };
}

let words = new Int32Array(callMemory());
/** Calls inside calls: a batching policy that preempts may have a queue order asked for a key. The outermost one is timed. */
let depth = 0;

/** From here on the calls of this thread show in `memory`. */
export function showCallsIn(memory: SharedArrayBuffer): void {
  words = new Int32Array(memory);
  depth = 0;
}

/** A call begins. `policy` null: the file is being loaded. */
export function beginCall(source: number, policy: number | null, method: PluginMethod): void {
  if (depth++ > 0) return;
  words[SOURCE] = source;
  words[POLICY] = policy ?? -1;
  words[METHOD] = METHODS.indexOf(method);
  Atomics.add(words, BEGUN_AND_ENDED, 1);
}

/** The call that began last has returned or thrown. */
export function endCall(): void {
  if (--depth === 0) Atomics.add(words, BEGUN_AND_ENDED, 1);
}

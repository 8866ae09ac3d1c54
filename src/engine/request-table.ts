/**
 * Requests in flight, as recycled slots of parallel typed arrays, so that memory follows what is in flight and not the
 * horizon. A slot's number is its identity while it lives.
 */

export const NO_SLOT = -1;

// Where a request is, as its client and route see it.
export const NOWHERE = 0;
/** Waiting or running at a replica. */
export const IN_POOL = 1;
export const AT_OFFER = 2;
/** Between two attempts. */
export const AT_CLIENT = 3;
/** Its client gave up; it leaves the batch of its replica at the next boundary. */
export const LEAVING = 4;
/** Between a prefill and a decode replica. */
export const IN_TRANSIT = 5;

export class RequestTable {
  capacity = 0;
  /** Slots in use. */
  inUse = 0;

  // What the request is. Times in simulated seconds.
  ordinal: Float64Array = new Float64Array(0);
  sentS: Float64Array = new Float64Array(0);
  deadlineS: Float64Array = new Float64Array(0);
  classIndex: Uint8Array = new Uint8Array(0);
  inputTokens: Int32Array = new Int32Array(0);
  outputTokens: Int32Array = new Int32Array(0);
  maxOutputTokens: Int32Array = new Int32Array(0);

  // Where it stands with its client and its route.
  /** Numbers what is drawn for an attempt at an offer. */
  attempts: Uint16Array = new Uint16Array(0);
  /** Times that a pool did not take it: apart, so that they leave an offer's luck as it is. */
  turnedAway: Uint16Array = new Uint16Array(0);
  retries: Uint16Array = new Uint16Array(0);
  replica: Int32Array = new Int32Array(0);
  /** Of an attempt at an offer: when it was made, and its gap between tokens. */
  attemptS: Float64Array = new Float64Array(0);
  tokenGapS: Float64Array = new Float64Array(0);
  /** Part of the output that comes before what the user sees. */
  reasoningTokens: Int32Array = new Int32Array(0);
  /** Whether its prompt was redacted, as `dispatch/redaction.ts` says, and whether it was counted as blocked by its boundary. */
  redacted: Uint8Array = new Uint8Array(0);
  blocked: Uint8Array = new Uint8Array(0);
  /** 1: the offer serves and prices it as standard, because it ramps up too fast. */
  asStandard: Uint8Array = new Uint8Array(0);
  /** IN_POOL and so on. */
  where: Uint8Array = new Uint8Array(0);

  // What its replica's engine keeps of it.
  state: Uint8Array = new Uint8Array(0);
  /** Output tokens emitted; while it decodes, as of its join (see `joinStep`). */
  generated: Int32Array = new Int32Array(0);
  prefillTokens: Int32Array = new Int32Array(0);
  prefilledTokens: Int32Array = new Int32Array(0);
  /**
   * Step count of the replica when this sequence began to decode; with drafts that are drawn, the steps that it has had with
   * them. Step counts wrap at 2^31 (`completions.ts`).
   */
  joinStep: Int32Array = new Int32Array(0);
  /** Step count of the replica at which it has all its tokens. */
  finishStep: Int32Array = new Int32Array(0);
  /** Place in its replica's completions: in the heap, or the next that finishes at the same step; or among those with drafts. */
  heapSlot: Int32Array = new Int32Array(0);
  nextAtStep: Int32Array = new Int32Array(0);
  firstTokenS: Float64Array = new Float64Array(0);
  lastTokenS: Float64Array = new Float64Array(0);
  // Under a policy: its place in the order of the queue, and its seat in the batch.
  orderKey: Float64Array = new Float64Array(0);
  orderTicket: Float64Array = new Float64Array(0);
  seat: Int32Array = new Int32Array(0);
  /** Neighbours in the replica's waiting queue or in its running list (admission order). */
  next: Int32Array = new Int32Array(0);
  previous: Int32Array = new Int32Array(0);

  private free: Int32Array = new Int32Array(0);

  constructor(capacity = 1024) {
    this.resize(capacity);
  }

  /** Takes a free slot; the caller fills the columns. */
  take(): number {
    if (this.inUse === this.capacity) this.resize(this.capacity * 2);
    return this.free[this.inUse++];
  }

  release(slot: number): void {
    this.where[slot] = NOWHERE;
    this.free[--this.inUse] = slot;
  }

  /** Slots in use, in rising order. O(capacity): for the end of a run. */
  live(): number[] {
    const slots: number[] = [];
    for (let slot = 0; slot < this.capacity; slot++) if (this.where[slot] !== NOWHERE) slots.push(slot);
    return slots;
  }

  private resize(capacity: number): void {
    const old = this.capacity;
    const float = (from: Float64Array): Float64Array => {
      const to = new Float64Array(capacity);
      to.set(from);
      return to;
    };
    const int = (from: Int32Array): Int32Array => {
      const to = new Int32Array(capacity);
      to.set(from);
      return to;
    };
    this.ordinal = float(this.ordinal);
    this.sentS = float(this.sentS);
    this.deadlineS = float(this.deadlineS);
    this.joinStep = int(this.joinStep);
    this.finishStep = int(this.finishStep);
    this.orderKey = float(this.orderKey);
    this.orderTicket = float(this.orderTicket);
    this.firstTokenS = float(this.firstTokenS);
    this.lastTokenS = float(this.lastTokenS);
    this.attemptS = float(this.attemptS);
    this.tokenGapS = float(this.tokenGapS);
    this.inputTokens = int(this.inputTokens);
    this.outputTokens = int(this.outputTokens);
    this.maxOutputTokens = int(this.maxOutputTokens);
    this.reasoningTokens = int(this.reasoningTokens);
    this.replica = int(this.replica);
    this.generated = int(this.generated);
    this.prefillTokens = int(this.prefillTokens);
    this.prefilledTokens = int(this.prefilledTokens);
    this.heapSlot = int(this.heapSlot);
    this.nextAtStep = int(this.nextAtStep);
    this.seat = int(this.seat);
    this.next = int(this.next);
    this.previous = int(this.previous);
    const attempts = new Uint16Array(capacity);
    attempts.set(this.attempts);
    this.attempts = attempts;
    const turnedAway = new Uint16Array(capacity);
    turnedAway.set(this.turnedAway);
    this.turnedAway = turnedAway;
    const retries = new Uint16Array(capacity);
    retries.set(this.retries);
    this.retries = retries;
    const byte = (from: Uint8Array): Uint8Array => {
      const to = new Uint8Array(capacity);
      to.set(from);
      return to;
    };
    this.classIndex = byte(this.classIndex);
    this.state = byte(this.state);
    this.where = byte(this.where);
    this.redacted = byte(this.redacted);
    this.blocked = byte(this.blocked);
    this.asStandard = byte(this.asStandard);
    const free = new Int32Array(capacity);
    // All old slots are in use when the table grows, so only the new ones are free.
    for (let slot = old; slot < capacity; slot++) free[slot] = slot;
    this.free = free;
    this.capacity = capacity;
  }
}

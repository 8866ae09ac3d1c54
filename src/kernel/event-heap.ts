/**
 * Future events other than steps and arrivals: a binary min-heap in parallel typed arrays, order (time, kind, sequence),
 * so that events of one instant and kind come out in the order in which they went in.
 * No allocation per event except when the arrays double. Times are simulated seconds.
 */
import { InvariantError } from "./errors.ts";

export class EventHeap {
  size = 0;
  /** Time of the first event; Infinity when there is none. A field, since what a call returns on two ways is boxed. */
  firstTimeS = Infinity;
  private timeS = new Float64Array(256);
  private kinds = new Uint8Array(256);
  private sequences = new Float64Array(256);
  private payloads = new Int32Array(256);
  private tags = new Float64Array(256);
  private sequence = 0;

  /** `payload` is a slot or index; `tag` tells a stale event from a live one (a slot's generation, for example). */
  push(timeS: number, kind: number, payload: number, tag: number): void {
    if (timeS !== timeS) throw new InvariantError("EQ-2", { kind, payload, timeS: "NaN" });
    if (this.size === this.timeS.length) this.grow();
    const times = this.timeS;
    const kinds = this.kinds;
    const sequence = this.sequence++;
    let i = this.size++;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const parentTimeS = times[parent];
      // The new event has the highest sequence, so an equal (time, kind) stays below.
      if (parentTimeS < timeS || (parentTimeS === timeS && kinds[parent] <= kind)) break;
      this.move(parent, i);
      i = parent;
    }
    times[i] = timeS;
    kinds[i] = kind;
    this.sequences[i] = sequence;
    this.payloads[i] = payload;
    this.tags[i] = tag;
    this.firstTimeS = times[0];
  }

  firstKind(): number {
    return this.kinds[0];
  }

  firstPayload(): number {
    return this.payloads[0];
  }

  firstTag(): number {
    return this.tags[0];
  }

  /** Removes the first event. */
  pop(): void {
    const last = --this.size;
    if (last === 0) {
      this.firstTimeS = Infinity;
      return;
    }
    const times = this.timeS;
    const kinds = this.kinds;
    const sequences = this.sequences;
    const timeS = times[last];
    const kind = kinds[last];
    const sequence = sequences[last];
    const payload = this.payloads[last];
    const tag = this.tags[last];
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= last) break;
      const right = child + 1;
      if (right < last && this.before(right, child)) child = right;
      const childTimeS = times[child];
      if (
        timeS < childTimeS ||
        (timeS === childTimeS && (kind < kinds[child] || (kind === kinds[child] && sequence < sequences[child])))
      )
        break;
      this.move(child, i);
      i = child;
    }
    times[i] = timeS;
    kinds[i] = kind;
    sequences[i] = sequence;
    this.payloads[i] = payload;
    this.tags[i] = tag;
    this.firstTimeS = times[0];
  }

  private before(a: number, b: number): boolean {
    const timeA = this.timeS[a];
    const timeB = this.timeS[b];
    if (timeA !== timeB) return timeA < timeB;
    if (this.kinds[a] !== this.kinds[b]) return this.kinds[a] < this.kinds[b];
    return this.sequences[a] < this.sequences[b];
  }

  private move(from: number, to: number): void {
    this.timeS[to] = this.timeS[from];
    this.kinds[to] = this.kinds[from];
    this.sequences[to] = this.sequences[from];
    this.payloads[to] = this.payloads[from];
    this.tags[to] = this.tags[from];
  }

  private grow(): void {
    const bigger = <T extends Float64Array | Uint8Array | Int32Array>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    const capacity = this.timeS.length * 2;
    this.timeS = bigger(this.timeS, new Float64Array(capacity));
    this.kinds = bigger(this.kinds, new Uint8Array(capacity));
    this.sequences = bigger(this.sequences, new Float64Array(capacity));
    this.payloads = bigger(this.payloads, new Int32Array(capacity));
    this.tags = bigger(this.tags, new Float64Array(capacity));
  }
}

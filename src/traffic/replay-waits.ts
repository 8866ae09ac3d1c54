/**
 * A recording whose requests wait for others, as turns of conversations and steps of agents do: each is sent when all that
 * it waits for have ended here, however they ended, and its recorded pause has passed. Parallel calls and sub-agents are joined
 * so. What waits for nothing comes at its recorded time. Times in seconds, lengths in tokens.
 *   TRF-6  Rows, lengths, classes, pauses and ordinals are those of the recording, whatever happens to a request: compared
 *          strategies serve the same requests, only the times of those that wait follow service.
 */
import { type KnownText, NO_CLASS, type RecordedWaits, type ReplayTraffic } from "../scenario/resolved.ts";
import { DataError, InvariantError } from "../kernel/errors.ts";
import { counterKey, threefry2x32, words } from "../kernel/random.ts";
import { cumulativeShares, discrete } from "../kernel/samplers.ts";
import { SlotHeap } from "../kernel/slot-heap.ts";
import { askedTokens } from "./lengths.ts";
import type { OpenTrafficOptions } from "./options.ts";
import { countBefore } from "./rate.ts";
import { recordedText } from "./recorded-text.ts";
import type { Traffic } from "./traffic.ts";

/** Throws DataError for a row that waits for itself or a later one, and for columns of other lengths than the recording's. */
export function checkWaits({ file, arrivalS }: ReplayTraffic, { offsets, parents, gapS }: RecordedWaits): void {
  if (offsets.length !== arrivalS.length + 1 || gapS.length !== arrivalS.length)
    throw new DataError(file, null, `waits of ${gapS.length} of ${arrivalS.length} requests`);
  for (let row = 0; row < arrivalS.length; row++) {
    for (let i = offsets[row]!; i < offsets[row + 1]!; i++)
      if (parents[i]! >= row)
        throw new DataError(file, row + 1, `waits for row ${parents[i]! + 1}, which does not come before it`);
  }
}

export class WaitingReplayCursor implements Traffic {
  timeS = Infinity;
  inputTokens = 0;
  outputTokens = 0;
  maxOutputTokens = 0;
  reasoningTokens = 0;
  classIndex = 0;
  request = -1;
  readonly known?: KnownText;

  private readonly spec: ReplayTraffic;
  private readonly offsetS: number;
  private readonly horizonS: number;
  /** Ordinals count from this row. Those before it lie before the window and count as ended. */
  private readonly firstRow: number;
  private readonly shares: Float64Array;
  private readonly key: number;
  // By row from `firstRow` on: what it still waits for, when the last of it ended, when it is sent, who waits for it.
  private readonly left: Uint32Array;
  private readonly endedS: Float64Array;
  private readonly dueS: Float64Array;
  private readonly inFlight: Uint8Array;
  private readonly childOffsets: Uint32Array;
  private readonly children: Uint32Array;
  /** The next of those that wait for nothing, in order of time. */
  private root = -1;
  /** The released ones. */
  private readonly released = new SlotHeap((row, other) => this.isBefore(row, other));

  constructor(spec: ReplayTraffic, waits: RecordedWaits, options: OpenTrafficOptions) {
    this.spec = spec;
    this.offsetS = options.offsetS ?? 0;
    this.horizonS = options.horizonS;
    this.firstRow = countBefore(spec, this.offsetS - options.warmupS);
    this.shares = cumulativeShares(options.classShares);
    this.key = counterKey(options.seed, options.replication, "traffic/replay-classes");
    const { firstRow } = this;
    const rows = spec.arrivalS.length - firstRow;
    this.left = new Uint32Array(rows);
    this.endedS = new Float64Array(rows).fill(-Infinity);
    this.dueS = new Float64Array(rows);
    this.inFlight = new Uint8Array(rows);
    this.childOffsets = new Uint32Array(rows + 1);
    const each = (visit: (parent: number, child: number) => void): void => {
      for (let row = firstRow; row < spec.arrivalS.length; row++)
        for (let i = waits.offsets[row]!; i < waits.offsets[row + 1]!; i++)
          if (waits.parents[i]! >= firstRow) visit(waits.parents[i]! - firstRow, row - firstRow);
    };
    each((parent, child) => {
      this.left[child]!++;
      this.childOffsets[parent + 1]!++;
    });
    for (let row = 0; row < rows; row++) this.childOffsets[row + 1]! += this.childOffsets[row]!;
    this.children = new Uint32Array(this.childOffsets[rows]!);
    const next = this.childOffsets.slice();
    each((parent, child) => (this.children[next[parent]!++] = child));
    const known = recordedText(spec, firstRow);
    if (known !== undefined) this.known = known;
    this.nextRoot();
    this.show();
  }

  advance(): void {
    if (this.timeS === Infinity) return;
    this.inFlight[this.request] = 1;
    if (this.request === this.root) this.nextRoot();
    else this.released.pop();
    this.show();
  }

  /** Releases what waited for `request` alone. Throws InvariantError when that request is not in flight. */
  onComplete(request: number, timeS: number): void {
    if (this.inFlight[request] !== 1) throw new InvariantError("TRF-6", { request, inFlight: false });
    this.inFlight[request] = 0;
    let released = false;
    for (let i = this.childOffsets[request]!; i < this.childOffsets[request + 1]!; i++) {
      const child = this.children[i]!;
      if (timeS > this.endedS[child]!) this.endedS[child] = timeS;
      if (--this.left[child]! > 0) continue;
      this.dueS[child] = this.sentAfter(child, this.endedS[child]!);
      if (this.dueS[child]! >= this.horizonS) continue;
      this.released.push(child);
      released = true;
    }
    if (released) this.show();
  }

  private sentAfter(child: number, endS: number): number {
    const row = this.firstRow + child;
    const gapS = this.spec.waits!.gapS[row]!;
    return gapS >= 0 ? endS + gapS : Math.max(endS, this.spec.arrivalS[row]! - this.offsetS);
  }

  private nextRoot(): void {
    const { left, spec, firstRow, offsetS, horizonS } = this;
    for (this.root++; this.root < left.length; this.root++) {
      if (left[this.root] !== 0 || this.endedS[this.root] !== -Infinity) continue;
      this.dueS[this.root] = spec.arrivalS[firstRow + this.root]! - offsetS;
      if (this.dueS[this.root]! >= horizonS) this.root = left.length;
      return;
    }
  }

  /** Fills the fields from whichever comes first, the next root or the head of the released. */
  private show(): void {
    const head = this.released.size === 0 ? undefined : this.released.first();
    const isRoot = this.root < this.left.length && (head === undefined || this.isBefore(this.root, head));
    const next = isRoot ? this.root : head;
    if (next === undefined) {
      this.timeS = Infinity;
      return;
    }
    const row = this.firstRow + next;
    const { inputTokens, outputTokens, reasoningTokens, sessions, classIndex } = this.spec;
    this.request = next;
    this.timeS = this.dueS[next]!;
    this.inputTokens = inputTokens[row]!;
    this.outputTokens = outputTokens[row]!;
    this.maxOutputTokens = askedTokens(this.spec, row);
    if (reasoningTokens !== undefined) this.reasoningTokens = reasoningTokens[row]!;
    if (this.shares.length === 1) return;
    const recorded = classIndex?.[row] ?? NO_CLASS;
    this.classIndex = recorded;
    if (recorded !== NO_CLASS) return;
    // All turns of a session are of one class.
    threefry2x32(this.key, 0, sessions === undefined ? row : sessions[row]!, 0);
    this.classIndex = discrete(this.shares, (words[0]! >>> 0) * 2.3283064365386963e-10);
  }

  private isBefore(row: number, other: number): boolean {
    const difference = this.dueS[row]! - this.dueS[other]!;
    return difference < 0 || (difference === 0 && row < other);
  }
}

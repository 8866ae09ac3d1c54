/**
 * The decoding sequences of one replica whose drafts are drawn one by one. Each step gives each its own number of tokens, so every
 * step visits everybody: what a visit needs of a sequence stands in one row of one array, and what is drawn suffices for many steps.
 *
 *   SPEC-1  How many drafts are accepted is a function of the request and of how many steps with drafts it has had: the same luck
 *           for every strategy, whatever else runs.
 *
 * The first byte of such a draw mostly decides, so one call of the generator serves eight steps, and another gives the rest of the
 * word where it does not. Lengths in tokens.
 */
import { threefry2x32, words } from "../kernel/random.ts";
import { AcceptedDrafts, SPLIT } from "./accepted-drafts.ts";
import { longerInts } from "./columns.ts";
import type { RequestTable } from "./request-table.ts";
import type { SpeculativeSpec } from "./scheduler-spec.ts";

/** Second key words of the draws: of the first bytes, and of what follows one. */
const ACCEPTANCE_KEY = 0x4143;
const ACCEPTANCE_REST_KEY = 0x4152;

/** Steps of a sequence that are drawn together. */
const AHEAD_LOG2 = 4;
const AHEAD = 1 << AHEAD_LOG2;
const STEPS_PER_DRAW = 8;

// A row.
const SLOT = 0;
const CLASS = 1;
const GENERATED = 2;
/** With so many generated at most it has not all, and its next decode wants no block. */
const ROOM = 3;
/** Steps with drafts that it has had. */
const STEPS = 4;
/** Drafts accepted in its step s, a byte each, at s mod AHEAD. */
const ACCEPTED = 5;
const ROW = ACCEPTED + AHEAD / 4;

/** Bits that no number has but SPLIT, in four bytes. */
const SPLIT_BITS = 0x80808080 | 0;
const UNKNOWN = -1;

/** Rows that passed their room in a step, and that have used up what was drawn: for the moment only, so one list does for all replicas. */
let passed = new Int32Array(16);
let spent = new Int32Array(16);

export class DraftDecoders {
  count = 0;
  /** A decode puts out so many at most: the drafts and one. */
  readonly tokensAtMost: number;
  /** Who has all tokens since the last step, and is still here. */
  ended: Int32Array = new Int32Array(16);
  endedCount = 0;
  /** All whose next decode may want blocks, and some that left; a count of UNKNOWN: nobody knows who. */
  tight: Int32Array = new Int32Array(16);
  private tightCount = 0;

  private rows: Int32Array = new Int32Array(16 * ROW);
  private readonly classes: number;
  private readonly table: RequestTable;
  private readonly luckKey: number;
  private readonly accepted: AcceptedDrafts;

  constructor(table: RequestTable, classes: number, luckKey: number, speculative: SpeculativeSpec) {
    this.table = table;
    this.luckKey = luckKey;
    this.accepted = new AcceptedDrafts(speculative.draftTokens, speculative.acceptance);
    this.tokensAtMost = speculative.draftTokens + 1;
    this.classes = classes;
  }

  generated(slot: number): number {
    return this.rows[this.rowOf(slot) + GENERATED];
  }

  // Of a row that `takeTight` found.

  slotAt(row: number): number {
    return this.rows[row + SLOT];
  }

  generatedAt(row: number): number {
    return this.rows[row + GENERATED];
  }

  /** With so many tokens generated at most its next decode wants no block. */
  makeRoomAt(row: number, tokens: number): void {
    const { rows } = this;
    const notAll = this.table.outputTokens[rows[row + SLOT]] - 1;
    rows[row + ROOM] = tokens < notAll ? tokens : notAll;
  }

  /** Enters a sequence with `generated` of the table, and its steps with drafts, `joinStep`. */
  join(slot: number): void {
    const { table } = this;
    if (this.count === this.tight.length) this.widen();
    const { rows } = this;
    table.heapSlot[slot] = this.count++;
    const row = this.rowOf(slot);
    rows[row + SLOT] = slot;
    rows[row + CLASS] = table.classIndex[slot];
    rows[row + GENERATED] = table.generated[slot];
    rows[row + ROOM] = -1;
    rows[row + STEPS] = table.joinStep[slot];
    this.drawAhead(row);
    this.tighten(slot);
  }

  /** Takes a sequence out, and writes what it has into the table. */
  leave(slot: number): void {
    const { table, rows } = this;
    const row = this.rowOf(slot);
    table.generated[slot] = rows[row + GENERATED];
    table.joinStep[slot] = rows[row + STEPS];
    const last = --this.count * ROW;
    for (let i = 0; i < ROW; i++) rows[row + i] = rows[last + i];
    table.heapSlot[rows[row + SLOT]] = table.heapSlot[slot];
  }

  /** A step of everybody: counts by tokens put out and class in `sequences`, lists whom it `ended`, and returns the tokens of all. */
  stepAll(sequences: Int32Array): number {
    const { rows, classes } = this;
    const end = this.count * ROW;
    const passedRows = passed;
    const spentRows = spent;
    let all = 0;
    let passedCount = 0;
    let spentCount = 0;
    // Nothing is called in here, so that all stays in registers.
    for (let row = 0; row < end; row += ROW) {
      const step = rows[row + STEPS];
      const tokens = 1 + ((rows[row + ACCEPTED + ((step >> 2) & 3)] >> ((step & 3) << 3)) & 255);
      const has = rows[row + GENERATED] + tokens;
      rows[row + GENERATED] = has;
      rows[row + STEPS] = step + 1;
      all += tokens;
      sequences[tokens * classes + rows[row + CLASS]]++;
      // Counted by a sign and a carry: a branch on chance costs more than the rest of the visit.
      passedRows[passedCount] = row;
      passedCount += (rows[row + ROOM] - has) >>> 31;
      spentRows[spentCount] = row;
      spentCount += ((step & (AHEAD - 1)) + 1) >> AHEAD_LOG2;
    }
    for (let i = 0; i < passedCount; i++) all -= this.endIfDone(passedRows[i], sequences);
    for (let i = 0; i < spentCount; i++) this.drawAhead(spentRows[i]);
    return all;
  }

  /** A step of one of them; returns its tokens. */
  stepOne(slot: number): number {
    const { rows } = this;
    const row = this.rowOf(slot);
    const left = this.table.outputTokens[slot] - rows[row + GENERATED];
    const tokens = Math.min(left, 1 + this.acceptedAt(row, rows[row + STEPS]));
    rows[row + GENERATED] += tokens;
    if (tokens === left) this.ended[this.endedCount++] = slot;
    else if (rows[row + GENERATED] > rows[row + ROOM]) this.tighten(slot);
    if (++rows[row + STEPS] % AHEAD === 0) this.drawAhead(row);
    return tokens;
  }

  /** Leaves in `tight` the rows of all whose next decode may want blocks, and returns how many; the caller sees to it that all have room. */
  takeTight(): number {
    const { tight, tightCount, rows, count } = this;
    const { heapSlot } = this.table;
    this.tightCount = 0;
    let kept = 0;
    if (tightCount === UNKNOWN) {
      for (let row = 0; row < count * ROW; row += ROW)
        if (rows[row + GENERATED] > rows[row + ROOM]) tight[kept++] = row;
      return kept;
    }
    for (let i = 0; i < tightCount; i++) {
      const slot = tight[i];
      const place = heapSlot[slot];
      if (place < count && rows[place * ROW + SLOT] === slot) tight[kept++] = place * ROW;
    }
    return kept;
  }

  clear(): void {
    this.count = this.endedCount = this.tightCount = 0;
  }

  private rowOf(slot: number): number {
    return this.table.heapSlot[slot] * ROW;
  }

  private acceptedAt(row: number, step: number): number {
    return (this.rows[row + ACCEPTED + ((step >> 2) & 3)] >> ((step & 3) << 3)) & 255;
  }

  private tighten(slot: number): void {
    const { tight, tightCount } = this;
    if (tightCount === UNKNOWN) return;
    if (tightCount === tight.length) this.tightCount = UNKNOWN;
    else tight[this.tightCount++] = slot;
  }

  /** Of one that passed its room in a step of everybody: ends it if it has all, and returns the tokens that it was given beyond. */
  private endIfDone(row: number, sequences: Int32Array): number {
    const { rows, classes } = this;
    const slot = rows[row + SLOT];
    const over = rows[row + GENERATED] - this.table.outputTokens[slot];
    if (over < 0) {
      this.tighten(slot);
      return 0;
    }
    this.ended[this.endedCount++] = slot;
    rows[row + GENERATED] -= over;
    const tokens = 1 + this.acceptedAt(row, rows[row + STEPS] - 1);
    sequences[tokens * classes + rows[row + CLASS]]--;
    sequences[(tokens - over) * classes + rows[row + CLASS]]++;
    return over;
  }

  /** Draws what is accepted in the next AHEAD steps; after a preemption, in those left of them. */
  private drawAhead(row: number): void {
    const { rows, luckKey } = this;
    const { byFirstByte } = this.accepted;
    const ordinal = this.table.ordinal[rows[row + SLOT]];
    const from = rows[row + STEPS] & -AHEAD;
    let any = 0;
    for (let i = 0; i < AHEAD / 4; i++) {
      if ((i & 1) === 0) threefry2x32(luckKey, ACCEPTANCE_KEY, ordinal, from / STEPS_PER_DRAW + (i >> 1));
      const bytes = words[i & 1]! | 0;
      const four =
        byFirstByte[bytes & 255] |
        (byFirstByte[(bytes >>> 8) & 255] << 8) |
        (byFirstByte[(bytes >>> 16) & 255] << 16) |
        (byFirstByte[bytes >>> 24] << 24);
      rows[row + ACCEPTED + i] = four;
      any |= four;
    }
    if ((any & SPLIT_BITS) === 0) return;
    for (let i = 0; i < AHEAD; i++) if (this.acceptedAt(row, i) === SPLIT) this.drawRest(row, from + i);
  }

  /** What is accepted in a step whose first byte does not decide. */
  private drawRest(row: number, step: number): void {
    const { table, rows, luckKey } = this;
    const ordinal = table.ordinal[rows[row + SLOT]];
    const shift = (step & 3) << 3;
    threefry2x32(luckKey, ACCEPTANCE_KEY, ordinal, Math.floor(step / STEPS_PER_DRAW));
    const firstByte = (words[(step >> 2) & 1]! >>> shift) & 255;
    threefry2x32(luckKey, ACCEPTANCE_REST_KEY, ordinal, step);
    const accepted = this.accepted.of((firstByte << 24) | (words[0]! >>> 8));
    rows[row + ACCEPTED + ((step >> 2) & 3)] ^= (SPLIT ^ accepted) << shift;
  }

  private widen(): void {
    const length = 2 * this.tight.length;
    this.rows = longerInts(this.rows, length * ROW);
    this.tight = longerInts(this.tight, length);
    this.ended = longerInts(this.ended, length);
    if (passed.length >= length) return;
    passed = new Int32Array(length);
    spent = new Int32Array(length);
  }
}

/**
 * Takes the rows of a trace one by one, checks them, and gives them out in blocks of columns. A source in order of time
 * streams; one that is not is kept whole, sorted stably, and its inversions are counted.
 */
import { DataError, InvariantError } from "../../kernel/errors.ts";
import { codedStrings, numbers, type TraceAbout, type WriteColumn } from "../parquet-write.ts";
import { isCount, MOST_SPAN_S, refuseCount, refuseThinking, refuseTime } from "../trace-builder.ts";
import {
  OPTIONAL_COLUMNS,
  type ListColumn,
  type NumberColumn,
  type OptionalColumn,
  type TextColumn,
} from "../trace-schema.ts";

const BLOCK_ROWS = 65_536;
/** A block also ends when its lists have grown this long. */
const BLOCK_ITEMS = 4_194_304;

class Numbers {
  readonly values: Float64Array;
  constructor(rows: number) {
    this.values = new Float64Array(rows).fill(Number.NaN);
  }
  copy(from: Numbers, at: number, to: number): void {
    this.values[to] = from.values[at]!;
  }
}

class Texts {
  readonly codes: Int32Array;
  readonly names: string[] = [];
  private readonly codeOf = new Map<string, number>();
  constructor(rows: number) {
    this.codes = new Int32Array(rows).fill(-1);
  }
  set(row: number, text: string): void {
    let code = this.codeOf.get(text);
    if (code === undefined) {
      code = this.names.push(text) - 1;
      this.codeOf.set(text, code);
    }
    this.codes[row] = code;
  }
  copy(from: Texts, at: number, to: number): void {
    const code = from.codes[at]!;
    if (code >= 0) this.set(to, from.names[code]!);
  }
}

class Lists {
  readonly offsets: Int32Array;
  items = new Uint32Array(1024);
  length = 0;
  constructor(rows: number) {
    this.offsets = new Int32Array(rows + 1);
  }
  append(row: number, list: ArrayLike<number>): void {
    if (this.length + list.length > this.items.length) {
      const grown = new Uint32Array(Math.max(this.items.length * 2, this.length + list.length));
      grown.set(this.items.subarray(0, this.length));
      this.items = grown;
    }
    this.items.set(list, this.length);
    this.length += list.length;
    this.offsets[row + 1] = this.length;
  }
  row(at: number): Uint32Array {
    return this.items.subarray(this.offsets[at]!, this.offsets[at + 1]!);
  }
  copy(from: Lists, at: number, to: number): void {
    this.append(to, from.row(at));
  }
}

class Block {
  rows = 0;
  readonly arrivalS = new Float64Array(BLOCK_ROWS);
  readonly inputTokens = new Uint32Array(BLOCK_ROWS);
  readonly outputTokens = new Uint32Array(BLOCK_ROWS);
  readonly numbers = new Map<NumberColumn, Numbers>();
  readonly texts = new Map<TextColumn, Texts>();
  readonly lists = new Map<ListColumn, Lists>();

  constructor(columns: readonly OptionalColumn[]) {
    for (const name of columns) {
      const { kind } = OPTIONAL_COLUMNS[name];
      if (kind === "string") this.texts.set(name as TextColumn, new Texts(BLOCK_ROWS));
      else if (kind === "uint32-list") this.lists.set(name as ListColumn, new Lists(BLOCK_ROWS));
      else this.numbers.set(name as NumberColumn, new Numbers(BLOCK_ROWS));
    }
  }

  isFull(): boolean {
    if (this.rows === BLOCK_ROWS) return true;
    for (const list of this.lists.values()) if (list.length >= BLOCK_ITEMS) return true;
    return false;
  }

  columns(names: readonly OptionalColumn[]): WriteColumn[] {
    const { rows } = this;
    return [
      numbers("arrivalS", "float64", this.arrivalS.subarray(0, rows)),
      numbers("inputTokens", "uint32", this.inputTokens.subarray(0, rows)),
      numbers("outputTokens", "uint32", this.outputTokens.subarray(0, rows)),
      ...names.map((name): WriteColumn => {
        const { kind } = OPTIONAL_COLUMNS[name];
        if (kind === "string") {
          const { codes, names: texts } = this.texts.get(name as TextColumn)!;
          return codedStrings(name, codes.subarray(0, rows), texts, true);
        }
        if (kind === "uint32-list") {
          const { offsets, items, length } = this.lists.get(name as ListColumn)!;
          const values = items.subarray(0, length);
          return { name, type: kind, offsets: offsets.subarray(0, rows + 1), values, nullable: false };
        }
        return numbers(name, kind, this.numbers.get(name as NumberColumn)!.values.subarray(0, rows), true);
      }),
    ];
  }
}

export interface SinkOptions {
  readonly columns: readonly OptionalColumn[];
  /** Ticks of the source's clock in a second. */
  readonly ticksPerS: number;
  /** Rows may come in any order. */
  readonly sorts: boolean;
}

type Counts = Pick<TraceAbout, "rowsRead" | "rows" | "dropped" | "failed" | "inversions" | "sameTime">;

export class TraceSink {
  readonly columns: readonly OptionalColumn[];
  private readonly ticksPerS: number;
  private readonly sorts: boolean;
  private file = "";
  private block: Block;
  private readonly full: Block[] = [];
  private rows = 0;
  private failed = 0;
  private inversions = 0;
  private sameTime = 0;
  private readonly dropped: Record<string, number> = {};
  private originTicks = Number.NaN;
  private lastTicks = -Infinity;
  /** Place of the current row in its block. */
  private at = -1;

  constructor({ columns, ticksPerS, sorts }: SinkOptions) {
    this.columns = sorts ? [...columns.filter((name) => name !== "sourceRow"), "sourceRow"] : columns;
    this.ticksPerS = ticksPerS;
    this.sorts = sorts;
    this.block = new Block(this.columns);
  }

  /** Rows until the next call are those of `file`. */
  startFile(file: string): void {
    this.file = file;
  }

  /** Ticks of the first arrival, NaN before it. */
  get origin(): number {
    return this.originTicks;
  }

  get length(): number {
    return this.rows;
  }

  /**
   * Appends a row; the setters then fill its other columns. Returns its number from 0. `ticks` count from any fixed
   * point. Throws DataError with `sourceRow` for a time that is no number or runs backwards, and for bad counts.
   */
  add(sourceRow: number, ticks: number, inputTokens: number, outputTokens: number): number {
    if (this.block.isFull()) this.next();
    const { block } = this;
    if (!isCount(inputTokens)) refuseCount(this.file, sourceRow, "input", inputTokens);
    if (!isCount(outputTokens)) refuseCount(this.file, sourceRow, "output", outputTokens);
    if (!(ticks >= this.lastTicks && ticks < Infinity)) this.disordered(sourceRow, ticks);
    else {
      if (ticks === this.lastTicks) this.sameTime++;
      this.lastTicks = ticks;
      if (Number.isNaN(this.originTicks)) this.originTicks = ticks;
      const since = ticks - this.originTicks;
      if (since > MOST_SPAN_S * this.ticksPerS) refuseTime(this.file, sourceRow, since / this.ticksPerS, 0);
    }
    const at = block.rows++;
    for (const list of block.lists.values()) list.offsets[at + 1] = list.offsets[at]!;
    block.arrivalS[at] = this.sorts ? ticks : (ticks - this.originTicks) / this.ticksPerS;
    block.inputTokens[at] = inputTokens;
    block.outputTokens[at] = outputTokens;
    if (this.sorts) block.numbers.get("sourceRow")!.values[at] = sourceRow;
    this.at = at;
    return this.rows++;
  }

  /** A value of the current row; empty is null. */
  text(column: TextColumn, text: string): void {
    if (text !== "") this.block.texts.get(column)!.set(this.at, text);
  }

  /** A value of the current row; NaN is null. Throws DataError if a column of counts cannot hold it, or the answer its thinking. */
  number(column: NumberColumn, value: number, sourceRow: number): void {
    const fits = OPTIONAL_COLUMNS[column].kind === "float64" ? Math.abs(value) < Infinity : isCount(value);
    if (!fits && !Number.isNaN(value)) throw new DataError(this.file, sourceRow, `${column} cannot be ${value}`);
    if (column === "reasoningTokens" && value > this.block.outputTokens[this.at]!)
      refuseThinking(this.file, sourceRow, value, this.block.outputTokens[this.at]!);
    this.block.numbers.get(column)!.values[this.at] = value;
  }

  /** A list of the current row. Throws DataError if an item is no whole number of 32 bits. */
  list(column: ListColumn, list: ArrayLike<number>, sourceRow: number): void {
    for (let i = 0; i < list.length; i++) {
      if (!isCount(list[i]!)) throw new DataError(this.file, sourceRow, `${column} holds ${list[i]}, no whole number`);
    }
    this.block.lists.get(column)!.append(this.at, list);
  }

  /** `status` of the current row. */
  status(status: string): void {
    if (status !== "ok") this.failed++;
    this.text("status", status);
  }

  drop(reason: string): void {
    this.dropped[reason] = (this.dropped[reason] ?? 0) + 1;
  }

  counts(): Counts {
    const { rows, failed, inversions, sameTime, dropped } = this;
    const rowsRead = Object.values(dropped).reduce((sum, count) => sum + count, rows);
    return { rowsRead, rows, dropped, failed, inversions, sameTime };
  }

  /** The blocks that are full; all that are left when `last`. */
  *blocks(last = false): Generator<WriteColumn[]> {
    if (this.sorts && !last) return;
    if (last) this.next();
    if (this.sorts && (this.inversions > 0 || this.ticksPerS !== 1 || this.originTicks !== 0)) yield* this.sorted();
    else for (const block of this.full.splice(0)) yield block.columns(this.columns);
  }

  private next(): void {
    if (this.block.rows > 0) this.full.push(this.block);
    this.block = new Block(this.columns);
  }

  private disordered(row: number, ticks: number): void {
    const ofOrigin = (value: number): number => (value - this.originTicks) / this.ticksPerS;
    if (!this.sorts || !Number.isFinite(ticks))
      refuseTime(this.file, row, Number.isFinite(ticks) ? ofOrigin(ticks) : Number.NaN, ofOrigin(this.lastTicks));
    this.inversions++;
    this.originTicks = Math.min(this.originTicks, ticks);
  }

  private *sorted(): Generator<WriteColumn[]> {
    const blocks = this.full.splice(0);
    const starts: number[] = [];
    let total = 0;
    for (const block of blocks) {
      starts.push(total);
      total += block.rows;
    }
    if (total !== this.rows) throw new InvariantError("IO-6 sorted traces are kept whole", { total, rows: this.rows });
    const ticks = new Float64Array(total);
    const blockOf = new Uint32Array(total);
    blocks.forEach((block, i) => {
      ticks.set(block.arrivalS.subarray(0, block.rows), starts[i]!);
      blockOf.fill(i, starts[i]!, starts[i]! + block.rows);
    });
    const order = new Uint32Array(total).map((_, i) => i).sort((a, b) => ticks[a]! - ticks[b]! || a - b);
    const placeOf = new Uint32Array(total);
    order.forEach((from, to) => (placeOf[from] = to));
    this.sameTime = 0;
    let before = Number.NaN;
    let sorted = new Block(this.columns);
    for (const from of order) {
      const source = blocks[blockOf[from]!]!;
      const at = from - starts[blockOf[from]!]!;
      const to = sorted.rows++;
      if (ticks[from] === before) this.sameTime++;
      before = ticks[from]!;
      sorted.arrivalS[to] = (before - this.originTicks) / this.ticksPerS;
      sorted.inputTokens[to] = source.inputTokens[at]!;
      sorted.outputTokens[to] = source.outputTokens[at]!;
      for (const [name, column] of sorted.numbers) column.copy(source.numbers.get(name)!, at, to);
      for (const [name, column] of sorted.texts) column.copy(source.texts.get(name)!, at, to);
      for (const [name, column] of sorted.lists) {
        const list = source.lists.get(name)!;
        if (name === "parents")
          column.append(
            to,
            list.row(at).map((parent) => placeOf[parent]!),
          );
        else column.copy(list, at, to);
      }
      if (!sorted.isFull()) continue;
      yield sorted.columns(this.columns);
      sorted = new Block(this.columns);
    }
    if (sorted.rows > 0) yield sorted.columns(this.columns);
  }
}

/** A request trace from Parquet: dates in any Arrow resolution (Azure) or seconds (canonical). Runs in a worker thread. */
import type { Data, DataType, Timestamp } from "apache-arrow";
import { DataError } from "../kernel/errors.ts";
import { openParquet } from "./parquet-read.ts";
import { columnData } from "./parquet-table.ts";
import { detectLayout, TraceBuilder, type Trace } from "./trace-builder.ts";

export interface TraceJob {
  readonly kind: "trace";
  readonly file: string;
}

type Arrow = typeof import("apache-arrow");

/** The worker's side of `readTrace` for Parquet. */
export async function readTraceInThread(job: TraceJob, progress: Float64Array): Promise<Trace> {
  const { file } = job;
  const arrow = await import("apache-arrow");
  const source = await openParquet(file, progress);
  const names = source.fields.map((field) => field.name);
  const layout = detectLayout(file, names);
  const { reasoning } = layout;
  const counts = [layout.input, layout.output];
  if (reasoning !== undefined && names.includes(reasoning)) counts.push(reasoning);
  const typeOf = (name: string) => source.fields.find((field) => field.name === name)?.type as DataType;
  const ticksPerS = layout.dates ? ticksPerSecond(arrow, file, layout.time, typeOf(layout.time)) : 1;
  for (const name of [...counts, ...(layout.dates ? [] : [layout.time])]) {
    const type = typeOf(name);
    if (arrow.DataType.isInt(type) || arrow.DataType.isFloat(type)) continue;
    throw new DataError(file, null, `column ${name} has type ${String(type)}, a number is needed`);
  }

  const builder = new TraceBuilder(file, source.rows);
  let origin: bigint | number | null = null;
  await source.scan([layout.time, ...counts], (batch) => {
    const times = columnData(batch, layout.time);
    const input = columnData(batch, layout.input);
    const output = columnData(batch, layout.output);
    // A missing first time is refused by the builder; any origin will do then.
    origin ??= times.getValid(0) ? ((times.values as ArrayLike<bigint | number>)[0] ?? 0) : 0;
    const timeAt = layout.dates ? ticksSince(times, origin as bigint) : numberAt(times);
    const subtract = layout.dates ? 0 : Number(origin);
    const inputAt = numberAt(input);
    const outputAt = numberAt(output);
    const reasoningAt = counts.length < 3 ? null : numberAt(columnData(batch, reasoning!));
    for (let i = 0; i < batch.numRows; i++) {
      builder.add((timeAt(i) - subtract) / ticksPerS, inputAt(i), outputAt(i));
      if (reasoningAt !== null) builder.reasoning(reasoningAt(i));
    }
  });
  source.close();
  const epochS = layout.dates && origin !== null ? epochSeconds(origin, ticksPerS) : null;
  return builder.finish(layout, "parquet", epochS);
}

/** Ticks of a column of timestamps in a second. Throws DataError for any other column. */
export function ticksPerSecond(arrow: Arrow, file: string, name: string, type: DataType): number {
  if (!arrow.DataType.isTimestamp(type)) {
    throw new DataError(file, null, `column ${name} has type ${String(type)}, a timestamp is needed`);
  }
  const { SECOND, MILLISECOND, MICROSECOND } = arrow.TimeUnit;
  const { unit } = type as Timestamp;
  return unit === SECOND ? 1 : unit === MILLISECOND ? 1e3 : unit === MICROSECOND ? 1e6 : 1e9;
}

/** Whole seconds and the rest apart: the ticks alone are beyond 2^53. */
export function epochSeconds(origin: bigint | number, ticksPerS: number): number {
  const ticks = BigInt(origin);
  const perS = BigInt(ticksPerS);
  return Number(ticks / perS) + Number(ticks % perS) / ticksPerS;
}

/**
 * Ticks of a 64-bit column since `origin`, as doubles: exact within 104 days of nanoseconds, rounded to the nearest
 * beyond. Reads the two halves of each integer, because a BigInt per row would be garbage.
 */
export function ticksSince(data: Data, origin: bigint): (row: number) => number {
  const { buffer, byteOffset, length } = data.values as BigInt64Array;
  const high = new Int32Array(buffer, byteOffset, length * 2);
  const low = new Uint32Array(buffer, byteOffset, length * 2);
  const originHigh = Number(origin >> 32n);
  const originLow = Number(BigInt.asUintN(32, origin));
  const read = (i: number) =>
    ((high[2 * i + 1] as number) - originHigh) * 2 ** 32 + ((low[2 * i] as number) - originLow);
  return presentOr(data, read);
}

/** Any number column as doubles; NaN where null. */
export function numberAt(data: Data): (row: number) => number {
  const { values } = data;
  if (values instanceof BigInt64Array) return ticksSince(data, 0n);
  return presentOr(data, (i) => Number((values as ArrayLike<number | bigint>)[i]));
}

function presentOr(data: Data, read: (row: number) => number): (row: number) => number {
  if (data.nullCount === 0) return read;
  return (i) => (data.getValid(i) ? read(i) : Number.NaN);
}

/** Rows of a Parquet trace: Azure's, one in our own form, or any table by a mapping. */
import type { DataType } from "apache-arrow";
import { DataError } from "../../kernel/errors.ts";
import { nearestName } from "../nearest-name.ts";
import { openParquet } from "../parquet-read.ts";
import { columnData } from "../parquet-table.ts";
import { numberAt, ticksPerSecond, ticksSince } from "../trace-parquet.ts";
import { OPTIONAL_COLUMNS, type ListColumn, type NumberColumn, type TextColumn } from "../trace-schema.ts";
import { identityMapping, optionalColumnsOf, type Mapping, type TimeUnit } from "./mapped.ts";
import type { Origin } from "./format.ts";
import type { TraceSink } from "./sink.ts";

const AZURE: Mapping = { arrivalS: "TIMESTAMP", inputTokens: "ContextTokens", outputTokens: "GeneratedTokens" };
const PER_S: Readonly<Record<TimeUnit, number>> = { s: 1, ms: 1e3, us: 1e6, ns: 1e9 };

/** An opened file, and how its rows get into a sink. */
interface ParquetRows {
  readonly format: string;
  readonly mapping: Mapping;
  readonly ticksPerS: number;
  readonly dates: boolean;
  readonly rows: number;
  /** A row group at a time. */
  into(sink: TraceSink, origin: Origin): AsyncGenerator<void>;
  close(): void;
}

/** Opens a file. Throws DataError for a file of unknown columns, or a column of the wrong type. */
export async function openParquetRows(
  file: string,
  asked: Mapping | null,
  unit: TimeUnit,
  progress: Float64Array,
  index: number,
): Promise<ParquetRows> {
  const { DataType } = await import("apache-arrow");
  const source = await openParquet(file, progress, index);
  const names = source.fields.map((field) => field.name);
  const typeOf = (name: string) => source.fields.find((field) => field.name === name)!.type as DataType;
  const azure = Object.values(AZURE).every((name) => names.includes(name));
  const mapping = asked ?? (azure ? AZURE : identityMapping(names));
  if (mapping === null) {
    throw new DataError(
      file,
      null,
      `no known trace (its columns are ${names.join(", ")}); map them: --columns arrivalS=…,inputTokens=…,outputTokens=…`,
    );
  }
  for (const theirs of Object.values(mapping)) {
    if (!names.includes(theirs)) throw new DataError(file, null, `no column ${theirs}${nearestName(theirs, names)}`);
  }
  const time = mapping["arrivalS"]!;
  const dates = DataType.isTimestamp(typeOf(time));
  const optional = optionalColumnsOf(mapping).map((column) => [column, mapping[column]!] as const);
  for (const [ours, theirs] of Object.entries(mapping)) {
    const type = typeOf(theirs);
    const kind = ours in OPTIONAL_COLUMNS ? OPTIONAL_COLUMNS[ours as keyof typeof OPTIONAL_COLUMNS].kind : "uint32";
    if (kind === "string" || (ours === "arrivalS" && dates)) continue;
    const fits = kind === "uint32-list" ? DataType.isList(type) : DataType.isInt(type) || DataType.isFloat(type);
    if (fits) continue;
    const needed = kind === "uint32-list" ? "a list of numbers" : "a number";
    throw new DataError(file, null, `column ${theirs} has type ${String(type)}, ${needed} is needed`);
  }
  const arrow = await import("apache-arrow");
  const format = asked !== null ? "mapped" : mapping === AZURE ? "azure-llm" : "crossover";
  const ticksPerS = dates ? ticksPerSecond(arrow, file, time, typeOf(time)) : PER_S[unit];
  const wanted = [...new Set(Object.values(mapping))];
  return {
    format,
    mapping,
    ticksPerS,
    dates,
    rows: source.rows,
    close: () => source.close(),
    async *into(sink, origin) {
      for await (const group of source.groups(wanted)) {
        group((batch, firstRow) => {
          const times = columnData(batch, time);
          if (dates && times.getValid(0)) origin.ticks ??= (times.values as BigInt64Array)[0]!;
          const timeAt = dates ? ticksSince(times, origin.ticks ?? 0n) : numberAt(times);
          const inputAt = numberAt(columnData(batch, mapping["inputTokens"]!));
          const outputAt = numberAt(columnData(batch, mapping["outputTokens"]!));
          const setters = optional.map(([ours, theirs]): ((i: number) => void) => {
            const { kind } = OPTIONAL_COLUMNS[ours];
            const vector = batch.getChild(theirs)!;
            if (ours === "status") return (i) => sink.status(String(vector.get(i) ?? "ok"));
            if (kind === "string") return (i) => sink.text(ours as TextColumn, String(vector.get(i) ?? ""));
            if (kind === "uint32-list") {
              return (i) =>
                sink.list(ours as ListColumn, [...((vector.get(i) as Iterable<number> | null) ?? [])], firstRow + i);
            }
            const at = numberAt(columnData(batch, theirs));
            return (i) => sink.number(ours as NumberColumn, at(i), firstRow + i);
          });
          for (let i = 0; i < batch.numRows; i++) {
            sink.add(firstRow + i, timeAt(i), inputAt(i), outputAt(i));
            for (const set of setters) set(i);
          }
        });
        yield;
      }
    },
  };
}

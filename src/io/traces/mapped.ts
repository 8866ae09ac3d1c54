/** Tables of any columns, by a mapping from ours to theirs: `arrivalS=start,inputTokens=prompt,outputTokens=answer`. */
import { ConfigError, DataError } from "../../kernel/errors.ts";
import { nearestName, nearestOf } from "../nearest-name.ts";
import {
  isOptionalColumn,
  OPTIONAL_COLUMNS,
  REQUIRED_COLUMNS,
  type NumberColumn,
  type OptionalColumn,
  type TextColumn,
} from "../trace-schema.ts";
import { refuseDate } from "../trace-csv.ts";
import type { CsvFormat, JsonFormat, JsonRecord } from "./format.ts";
import { numberIn, textIn } from "./json-value.ts";

/** Their column by ours. Has the three that are required. */
export type Mapping = Readonly<Record<string, string>>;

/** Seconds of the number in a column of times; dates need none. */
export type TimeUnit = "s" | "ms" | "us" | "ns";

const TICKS: Readonly<Record<TimeUnit, number>> = { s: 1, ms: 1e3, us: 1e6, ns: 1e9 };

/** Why a row of a mapped table may be dropped: it cannot be replayed. */
const NO_TIME = "no arrival time";

/** Reads `a=b,c=d`. Throws ConfigError with everything that is wrong, with the nearest known column. */
export function mappingOf(text: string): Mapping {
  const mapping: Record<string, string> = {};
  const wrong: string[] = [];
  const required = Object.keys(REQUIRED_COLUMNS);
  const known = [...required, ...Object.keys(OPTIONAL_COLUMNS).filter((name) => name !== "sourceRow")];
  for (const pair of text.split(",")) {
    const [ours = "", theirs = ""] = pair.split(/=(.*)/s).map((part) => part.trim());
    if (!known.includes(ours)) {
      const near = nearestOf(ours, known);
      wrong.push(`no column ${ours}; ${near === null ? known.join(", ") : `nearest is ${near}`}`);
    } else if (theirs === "") wrong.push(`${ours} is given no column: ${ours}=NAME is needed`);
    else if (Object.hasOwn(mapping, ours)) wrong.push(`${ours} is given twice: ${mapping[ours]} and ${theirs}`);
    mapping[ours] = theirs;
  }
  for (const name of required) if (!Object.hasOwn(mapping, name)) wrong.push(`${name} is missing: ${name}=NAME`);
  if (wrong.length > 0) throw new ConfigError(wrong.map((message) => ({ path: ["--columns"], message })));
  return mapping;
}

/** Ours by their own names: what a file in our form needs. */
export function identityMapping(names: readonly string[]): Mapping | null {
  if (!Object.keys(REQUIRED_COLUMNS).every((name) => names.includes(name))) return null;
  const ours = names.filter((name) => Object.hasOwn(REQUIRED_COLUMNS, name) || isOptionalColumn(name));
  return Object.fromEntries(ours.map((name) => [name, name]));
}

export function optionalColumnsOf(mapping: Mapping): OptionalColumn[] {
  return Object.keys(mapping).filter((name) => isOptionalColumn(name));
}

/** `dates`: the times are dates and not numbers. */
export function mappedCsv(name: string, mapping: Mapping, unit: TimeUnit, dates: boolean): CsvFormat {
  const columns = optionalColumnsOf(mapping);
  return {
    kind: "csv",
    name,
    ticksPerS: dates ? 1e9 : TICKS[unit],
    clock: dates ? "dates" : "seconds",
    needs: Object.values(mapping),
    columns: () => columns,
    open(cursor, run) {
      const at = (column: string): number => cursor.need(mapping[column]!);
      const [time, input, output] = [at("arrivalS"), at("inputTokens"), at("outputTokens")];
      const optional = columns.map((column) => [column, at(column)] as const);
      const { sink, dates: reader } = run;
      return () => {
        if (cursor.from(time) === cursor.to(time)) return sink.drop(NO_TIME);
        if (sink.length === 0) run.firstTime(cursor.field(time));
        const ticks = dates
          ? reader.nanos(cursor.text, cursor.from(time), cursor.to(time))
          : cursor.decimal(time, "arrival time");
        if (Number.isNaN(ticks)) refuseDate(cursor, time);
        sink.add(cursor.row, ticks, cursor.count(input), cursor.count(output));
        for (const [column, from] of optional) {
          const { kind } = OPTIONAL_COLUMNS[column];
          if (column === "status") sink.status(cursor.field(from) || "ok");
          else if (kind === "string") sink.text(column as TextColumn, cursor.field(from));
          else if (kind === "uint32-list") {
            const list = cursor
              .field(from)
              .split(/[\s;]+/)
              .filter((item) => item !== "");
            sink.list(column as "parents" | "hashIds", list.map(Number), cursor.row);
          } else sink.number(column as NumberColumn, cursor.optional(from, column), cursor.row);
        }
      };
    },
  };
}

/** The same for records; their names may be paths with dots. */
export function mappedJson(mapping: Mapping, unit: TimeUnit, first: JsonRecord): JsonFormat {
  const columns = optionalColumnsOf(mapping);
  const path = (column: string): readonly string[] => mapping[column]!.split(".");
  const time = path("arrivalS");
  const dates = Number.isNaN(numberIn(first, ...time)) && textIn(first, ...time) !== "";
  return {
    kind: "json",
    name: "mapped",
    ticksPerS: dates ? 1e9 : TICKS[unit],
    clock: dates ? "dates" : "seconds",
    matches: () => true,
    columns: () => columns,
    open(run) {
      const [input, output] = [path("inputTokens"), path("outputTokens")];
      const optional = columns.map((column) => [column, path(column)] as const);
      const { sink } = run;
      return (record, row, file) => {
        const written = textIn(record, ...time);
        if (written === "" && time[0]! in record) return sink.drop(NO_TIME);
        if (written === "")
          throw new DataError(file, row, `no ${time.join(".")}${nearestName(time[0]!, Object.keys(record))}`);
        if (sink.length === 0) run.firstTime(written);
        const ticks = dates ? run.dates.nanos(written, 0, written.length) : numberIn(record, ...time);
        sink.add(row, ticks, numberIn(record, ...input), numberIn(record, ...output));
        for (const [column, from] of optional) {
          const { kind } = OPTIONAL_COLUMNS[column];
          if (column === "status") sink.status(textIn(record, ...from) || "ok");
          else if (kind === "string") sink.text(column as TextColumn, textIn(record, ...from));
          else if (kind !== "uint32-list") sink.number(column as NumberColumn, numberIn(record, ...from), row);
        }
      };
    },
  };
}

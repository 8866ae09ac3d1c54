/**
 * A CSV with one row a request. Columns are found by the names of their fields, or by a mapping `field=column` that the
 * user gives. A field of time is a quantity and a unit, such as `arrivalS` or `ttftMs`:
 *
 *   arrival                        when it was sent, on any clock
 *   firstToken or ttft             when the first token came, on that clock, or how long it took
 *   lastToken, e2e or tpot         when the last token came, the whole duration, or the mean gap between tokens
 *   inputTokens, outputTokens
 */
import { hintFor } from "../../../catalog/nearest.ts";
import { columnOf, numberInField, type CsvTable } from "../../../kernel/csv.ts";
import { ConfigError, DataError } from "../../../kernel/errors.ts";
import { type BenchmarkRun, Dropped, type RequestRow, requestsOf, runOfRequests } from "../benchmark-run.ts";

const UNITS = { S: 1, Ms: 1e-3, Us: 1e-6, Ns: 1e-9 } as const;
const QUANTITIES = ["arrival", "firstToken", "ttft", "lastToken", "e2e", "tpot"] as const;
type Quantity = (typeof QUANTITIES)[number];

/** Every name of a field. */
const FIELDS: readonly string[] = [
  ...QUANTITIES.flatMap((quantity) => Object.keys(UNITS).map((unit) => quantity + unit)),
  "inputTokens",
  "outputTokens",
];

/** The quantity of a field of time, whatever its unit; else the field. */
function quantityOf(field: string): string {
  return QUANTITIES.find((quantity) => Object.keys(UNITS).some((unit) => quantity + unit === field)) ?? field;
}

/** Columns by field, from `arrivalS=start,ttftMs=ttft`. Throws ConfigError for what is no field, or is given twice. */
export function columnMapping(text: string): Readonly<Record<string, string>> {
  const mapping: Record<string, string> = {};
  const before = new Map<string, string>();
  const problems = text.split(",").flatMap((pair) => {
    const at = pair.indexOf("=");
    const field = pair.slice(0, at).trim();
    if (at < 1) return [{ path: ["--columns"], message: `"${pair}" is not field=column` }];
    if (!FIELDS.includes(field)) {
      const hint = hintFor(field, FIELDS) ?? "for example arrivalS, inputTokens, outputTokens, ttftMs, e2eMs";
      return [{ path: ["--columns"], message: `"${field}" is no field of a request`, hint }];
    }
    const quantity = quantityOf(field);
    const first = before.get(quantity);
    if (first !== undefined)
      return [{ path: ["--columns"], message: `${quantity} is given twice: ${first} and ${pair.trim()}` }];
    before.set(quantity, pair.trim());
    mapping[field] = pair.slice(at + 1).trim();
    if (mapping[field] === "")
      return [{ path: ["--columns"], message: `${field} is given no column: ${field}=NAME is needed` }];
    return [];
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return mapping;
}

interface Column {
  readonly at: number;
  readonly name: string;
  readonly toUnit: number;
}

/** Throws DataError that names the fields that are missing, or the row that is wrong. */
export function readRequestCsv(
  file: string,
  id: string,
  csv: CsvTable,
  mapping: Readonly<Record<string, string>>,
): BenchmarkRun {
  const time = (quantity: Quantity): Column | null => {
    for (const [unit, toUnit] of Object.entries(UNITS)) {
      const column = columnFor(file, csv, mapping, quantity + unit);
      if (column !== null) return { ...column, toUnit };
    }
    return null;
  };
  const input = columnFor(file, csv, mapping, "inputTokens");
  const output = columnFor(file, csv, mapping, "outputTokens");
  const arrival = time("arrival");
  const firstToken = time("firstToken");
  const ttft = time("ttft");
  const lastToken = time("lastToken");
  const e2e = time("e2e");
  const tpot = time("tpot");
  const missing = [
    ...(input === null ? ["inputTokens"] : []),
    ...(output === null ? ["outputTokens"] : []),
    ...(arrival === null ? ["arrivalS"] : []),
    ...(firstToken === null && ttft === null ? ["firstTokenS or ttftMs"] : []),
    ...(lastToken === null && e2e === null && tpot === null ? ["lastTokenS, e2eMs or tpotMs"] : []),
  ];
  if (input === null || output === null || arrival === null || missing.length > 0)
    throw new DataError(
      file,
      null,
      `no column for ${missing.join("; ")}. Its columns are ${csv.names.join(", ")}; name yours with --columns, for example --columns arrivalS=start_time,inputTokens=prompt_tokens`,
    );

  const dropped = new Dropped();
  const rows: RequestRow[] = [];
  csv.rows.forEach((cells, i) => {
    const row = i + 1;
    const read = (column: Column): number => numberInField(file, row, column.name, cells[column.at]!) * column.toUnit;
    const outputTokens = read(output);
    if (outputTokens === 0) return dropped.add("no output");
    const arrivalS = read(arrival);
    const ttftS = ttft === null ? read(firstToken!) - arrivalS : read(ttft);
    rows.push({
      row,
      arrivalS,
      inputTokens: read(input),
      outputTokens,
      ttftS,
      decodeS:
        tpot !== null
          ? read(tpot) * (outputTokens - 1)
          : (lastToken === null ? read(e2e!) : read(lastToken) - arrivalS) - ttftS,
    });
  });
  const run = { id, file, format: "request-csv", facts: {} } as const;
  return runOfRequests(run, requestsOf(file, rows), dropped.counts);
}

function columnFor(
  file: string,
  csv: CsvTable,
  mapping: Readonly<Record<string, string>>,
  field: string,
): Column | null {
  const name = mapping[field] ?? field;
  const at = columnOf(file, csv.names, name);
  if (at >= 0) return { at, name, toUnit: 1 };
  if (mapping[field] === undefined) return null;
  const hint = hintFor(name, csv.names);
  throw new DataError(file, null, `no column "${name}" for ${field}${hint === undefined ? "" : `; ${hint}`}`);
}

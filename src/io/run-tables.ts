/**
 * The result tables of all runs of an experiment as Parquet files in memory: the columns of `outcome/series.ts` with
 * the strategy and the replication in front. Units stand in the column names and in the footer.
 */
import type { IncidentTable, LedgerTable, PoolHourTable, RunSeries, WindowTable } from "../outcome/series.ts";
import type { StepRecord, StepTable } from "../outcome/step-table.ts";
import { loadParquetEncoder, numbers, strings, type TableAbout, type WriteColumn } from "./parquet-write.ts";

/** What the caller knows beyond the tables. */
export interface RunTablesAbout {
  /** Version of this program, for the footer. */
  readonly version?: string;
  /** Names of the classes by index; given, the windows get a column `className`. */
  readonly classNames?: readonly string[];
}

/** Unit of a column by the end of its name. */
const UNIT_OF_SUFFIX: readonly (readonly [suffix: string, unit: string])[] = [
  ["hour", "h since t = 0"],
  ["startS", "s since t = 0"],
  ["endS", "s since t = 0"],
  ["sentS", "s since t = 0"],
  ["transferS", "s"],
  ["ReplicaH", "replica-hours"],
  ["Fraction", "fraction of 1"],
  ["Tokens", "tokens"],
  ["MsP50", "ms"],
  ["MsP95", "ms"],
  ["MsP99", "ms"],
  ["Ms", "ms"],
  ["usd", "USD"],
  ["Usd", "USD"],
  ["month", "calendar month, UTC"],
  ["quantity", "as the column unit says"],
];

/** Units of the columns that have one, by their names. */
export function unitsOf(columns: readonly { readonly name: string }[]): Record<string, string> {
  const units: Record<string, string> = {};
  for (const { name } of columns) {
    const unit = UNIT_OF_SUFFIX.find(([suffix]) => name.endsWith(suffix))?.[1];
    if (unit !== undefined) units[name] = unit;
  }
  return units;
}

/** How a column is stored. Every column of a table must be listed, in the order of the file; nullable numbers are doubles. */
type Storage<T> = {
  readonly [K in keyof T]: T[K] extends string[]
    ? "string"
    : T[K] extends number[]
      ? "int32" | "int64" | "float64"
      : "nullable";
};

const WINDOWS: Storage<WindowTable> = {
  hour: "int32",
  classIndex: "int32",
  route: "string",
  sent: "int32",
  completed: "int32",
  rejected: "int32",
  timedOut: "int32",
  failed: "int32",
  boundaryRefused: "int32",
  retried: "int32",
  rateLimited: "int32",
  sloMet: "int32",
  inputTokens: "int64",
  outputTokens: "int64",
  reasoningTokens: "int64",
  blockedByBoundary: "int32",
  redacted: "int32",
  notCleanable: "int32",
  ttftMsP50: "nullable",
  ttftMsP95: "nullable",
  ttftMsP99: "nullable",
  tpotMsP99: "nullable",
  e2eMsP99: "nullable",
};

const POOL_HOURS: Storage<PoolHourTable> = {
  hour: "int32",
  pool: "string",
  paidReplicaH: "float64",
  busyReplicaH: "float64",
  idleReplicaH: "float64",
  warmReplicaH: "float64",
  downReplicaH: "float64",
  occupancyFraction: "nullable",
  kvFraction: "nullable",
};

const INCIDENTS: Storage<IncidentTable> = {
  startS: "float64",
  endS: "float64",
  kind: "string",
  target: "string",
  replicasLost: "int32",
  requestsLost: "int32",
};

const LEDGER: Storage<LedgerTable> = {
  month: "string",
  line: "string",
  target: "string",
  className: "string",
  quantity: "float64",
  unit: "string",
  usd: "float64",
  billedUsd: "float64",
  chargeCategory: "string",
  pricingCategory: "string",
  commitmentDiscountStatus: "string",
};

const STEPS: Storage<StepTable> = {
  pool: "string",
  replica: "int32",
  policy: "string",
  startS: "float64",
  endS: "float64",
  steps: "int32",
  decodeSeqs: "int32",
  prefillSeqs: "int32",
  prefillTokens: "int32",
  contextTokens: "int64",
  budgetUsedTokens: "int32",
  budgetTokens: "int32",
  running: "int32",
  waiting: "int32",
  kvBlocksUsed: "int32",
  kvBlocksFree: "int32",
  kvBlocksCached: "int32",
  admitted: "int32",
  preempted: "int32",
  finished: "int32",
  transferS: "float64",
  queueHead: "nullable",
};

/** `windows.parquet`: one row per run × hour × class × route. Latencies are null where the hour has no sample. */
export function windowsParquet(series: readonly RunSeries[], about: RunTablesAbout = {}): Promise<Uint8Array> {
  const { classNames } = about;
  const columns = columnsOf(series, (run) => run.windows, WINDOWS, "hour");
  if (classNames !== undefined) {
    const names = series.flatMap((run) => run.windows.classIndex.map((index) => classNames[index] ?? ""));
    const at = columns.findIndex((column) => column.name === "classIndex") + 1;
    columns.splice(at, 0, strings("className", names));
  }
  return encode("windows", about, columns);
}

/** `pool-hours.parquet`: one row per run × hour × pool, replica-hours of that hour. */
export function poolHoursParquet(series: readonly RunSeries[], about: RunTablesAbout = {}): Promise<Uint8Array> {
  return encode(
    "pool-hours",
    about,
    columnsOf(series, (run) => run.poolHours, POOL_HOURS, "hour"),
  );
}

/** `incidents.parquet`: one row per incident of ours or outage of theirs. */
export function incidentsParquet(series: readonly RunSeries[], about: RunTablesAbout = {}): Promise<Uint8Array> {
  return encode(
    "incidents",
    about,
    columnsOf(series, (run) => run.incidents, INCIDENTS, "startS"),
  );
}

/** `ledger.parquet`: one row per run × month × line × target × class. */
export function ledgerParquet(series: readonly RunSeries[], about: RunTablesAbout = {}): Promise<Uint8Array> {
  return encode(
    "ledger",
    about,
    columnsOf(series, (run) => run.ledger, LEDGER, "month"),
  );
}

/** `steps.parquet`: one row per recorded step or stretch of steps. */
export function stepsParquet(records: readonly StepRecord[], about: RunTablesAbout = {}): Promise<Uint8Array> {
  return encode(
    "steps",
    about,
    columnsOf(records, (record) => record.steps, STEPS, "startS"),
  );
}

interface OfRun {
  readonly strategy: string;
  readonly replication: number;
}

async function encode(table: string, { version }: RunTablesAbout, columns: readonly WriteColumn[]) {
  const about: TableAbout = { table, ...(version === undefined ? {} : { version }), units: unitsOf(columns) };
  return (await loadParquetEncoder()).encode(columns, about);
}

/** Strategy and replication, then the columns of the table, the runs one after the other. `first` tells a run's rows. */
function columnsOf<T extends object, R extends OfRun>(
  series: readonly R[],
  tableOf: (run: R) => T,
  storage: Storage<T>,
  first: keyof T,
): WriteColumn[] {
  const column = (name: keyof T, run: R) => tableOf(run)[name] as readonly unknown[];
  const perRun = <V>(value: (run: R) => V) =>
    series.flatMap((run) => Array<V>(column(first, run).length).fill(value(run)));
  const columns: WriteColumn[] = [
    strings(
      "strategy",
      perRun((run) => run.strategy),
    ),
    numbers(
      "replication",
      "int32",
      perRun((run) => run.replication),
    ),
  ];
  for (const name of Object.keys(storage) as (keyof T & string)[]) {
    const kind: string = storage[name];
    const values = series.flatMap((run) => column(name, run));
    if (kind === "string") columns.push(strings(name, values as string[]));
    else if (kind === "nullable") columns.push(numbers(name, "float64", values as (number | null)[], true));
    else columns.push(numbers(name, kind as "int32" | "int64" | "float64", values as number[]));
  }
  return columns;
}

/** Per-request rows of one run (`--requests`), selected and handed to the Parquet writer. Runs in the worker thread. */
import { routeNames } from "../dispatch/run-book.ts";
import type { RunTask } from "../experiment/run-one.ts";
import { openRequestsWriter, type RequestsWriter } from "../io/requests-writer.ts";
import { threefry2x32, unit, words } from "../kernel/random.ts";
import {
  BOUNDARY_REFUSED,
  COMPLETED,
  IN_FLIGHT_AT_HORIZON,
  OUTCOME_NAMES,
  type RequestRows,
} from "../outcome/recorder.ts";

export type RequestSelection =
  | { readonly kind: "all" }
  /** A random share of the requests, the same ones in every strategy. */
  | { readonly kind: "sample"; readonly fraction: number }
  /** The `count` with the longest time to first token; those without an answer are the worst, those that the boundary refused (policy) or that are still in flight (unknown) the least. */
  | { readonly kind: "worst"; readonly count: number };

export interface OpenRows extends RequestRows {
  /** Parts written, in order. */
  close(): readonly string[];
  discard(): void;
}

export async function openRequestRows(task: RunTask, selection: RequestSelection, prefix: string): Promise<OpenRows> {
  const strategy = task.experiment.strategies[task.strategy]!;
  const writer = await openRequestsWriter(prefix, {
    strategy: strategy.name,
    replication: task.replication,
    classNames: task.experiment.classes.map((requestClass) => requestClass.name),
    routes: routeNames(strategy),
    outcomes: OUTCOME_NAMES,
  });
  return selection.kind === "worst" ? new WorstRows(writer, selection.count) : new StreamedRows(writer, selection);
}

const BATCH_ROWS = 8192;
const SAMPLE_KEY = 0x72657173;

function emptyBatch() {
  return {
    rows: 0,
    sentS: new Float64Array(BATCH_ROWS),
    className: new Int32Array(BATCH_ROWS),
    route: new Int32Array(BATCH_ROWS),
    inputTokens: new Uint32Array(BATCH_ROWS),
    outputTokens: new Uint32Array(BATCH_ROWS),
    reasoningTokens: new Uint32Array(BATCH_ROWS),
    ttftMs: new Float64Array(BATCH_ROWS),
    tpotMs: new Float64Array(BATCH_ROWS),
    e2eMs: new Float64Array(BATCH_ROWS),
    outcome: new Int32Array(BATCH_ROWS),
    attempts: new Int32Array(BATCH_ROWS),
  };
}

class StreamedRows implements OpenRows {
  private readonly writer: RequestsWriter;
  private readonly fraction: number;
  private readonly batch = emptyBatch();

  constructor(writer: RequestsWriter, selection: Exclude<RequestSelection, { kind: "worst" }>) {
    this.writer = writer;
    this.fraction = selection.kind === "all" ? 1 : selection.fraction;
  }

  row(
    request: number,
    sentS: number,
    classIndex: number,
    route: number,
    inputTokens: number,
    outputTokens: number,
    ttftS: number,
    tpotS: number,
    e2eS: number,
    outcome: number,
    attempts: number,
    reasoningTokens: number,
  ): void {
    if (this.fraction < 1) {
      // A key of its own, the same in every strategy, so that all sample the same requests.
      threefry2x32(SAMPLE_KEY, 0, request, 0);
      if (unit(words[0]!) >= this.fraction) return;
    }
    const batch = this.batch;
    const i = batch.rows++;
    batch.sentS[i] = sentS;
    batch.className[i] = classIndex;
    batch.route[i] = route - 1;
    batch.inputTokens[i] = inputTokens;
    batch.outputTokens[i] = outputTokens;
    batch.reasoningTokens[i] = reasoningTokens;
    batch.ttftMs[i] = ttftS * 1000;
    batch.tpotMs[i] = tpotS * 1000;
    batch.e2eMs[i] = e2eS * 1000;
    batch.outcome[i] = outcome;
    batch.attempts[i] = attempts;
    if (batch.rows === BATCH_ROWS) this.flush();
  }

  close(): readonly string[] {
    this.flush();
    return this.writer.close();
  }

  discard(): void {
    this.writer.discard();
  }

  private flush(): void {
    if (this.batch.rows > 0) this.writer.write(this.batch);
    this.batch.rows = 0;
  }
}

type Row = Parameters<RequestRows["row"]>;

function badnessOf([, , , , , , ttftS, , , outcome]: Row): number {
  if (outcome === COMPLETED) return ttftS;
  return outcome === BOUNDARY_REFUSED || outcome === IN_FLIGHT_AT_HORIZON ? -Infinity : Infinity;
}

class WorstRows implements OpenRows {
  private readonly writer: RequestsWriter;
  private readonly count: number;
  private rows: { readonly badness: number; readonly row: Row }[] = [];

  constructor(writer: RequestsWriter, count: number) {
    this.writer = writer;
    this.count = count;
  }

  row(...row: Row): void {
    this.rows.push({ badness: badnessOf(row), row });
    // Trimmed now and then, so that memory follows the count and not the run.
    if (this.rows.length >= 2 * this.count + 1024) this.trim();
  }

  close(): readonly string[] {
    this.trim();
    const all = { kind: "all" } as const;
    const rows = new StreamedRows(this.writer, all);
    for (const { row } of this.rows) rows.row(...row);
    return rows.close();
  }

  discard(): void {
    this.writer.discard();
  }

  /** Worst first; of equals the earlier request. */
  private trim(): void {
    this.rows.sort((a, b) => (a.badness === b.badness ? a.row[0] - b.row[0] : b.badness - a.badness));
    this.rows.length = Math.min(this.rows.length, this.count);
  }
}

/** Entry of the thread that reads Parquet: one job, one answer. */
import { concatInThread, type ConcatJob } from "./requests-concat.ts";
import { serveParquetJob } from "./parquet-thread.ts";
import { readTableInThread, type TableJob } from "./parquet-table.ts";
import { importInThread, type ImportJob } from "./traces/import.ts";
import { readTraceTableInThread, type TraceTableJob } from "./trace-table.ts";
import { readTraceInThread, type TraceJob } from "./trace-parquet.ts";

export type ParquetJob = TableJob | TraceJob | ConcatJob | ImportJob | TraceTableJob;

await serveParquetJob((job: ParquetJob, progress) => {
  switch (job.kind) {
    case "table":
      return readTableInThread(job, progress);
    case "trace":
      return readTraceInThread(job, progress);
    case "concat":
      return concatInThread(job, progress);
    case "trace-table":
      return readTraceTableInThread(job, progress);
    case "trace-import":
      return importInThread(job, progress);
  }
});

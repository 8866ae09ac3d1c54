/** Entry of the thread that reads Parquet: one job, one answer. */
import { concatInThread, type ConcatJob } from "./requests-concat.ts";
import { serveParquetJob } from "./parquet-thread.ts";
import { readTableInThread, type TableJob } from "./parquet-table.ts";
import { traceDetailsInThread, type TraceDetailsJob } from "./trace-details.ts";
import { readTraceInThread, type TraceJob } from "./trace-parquet.ts";
import { readTraceTableInThread, type TraceTableJob } from "./trace-table.ts";
import { importInThread, type ImportJob } from "./traces/import.ts";

export type ParquetJob = TableJob | TraceJob | TraceDetailsJob | ConcatJob | ImportJob | TraceTableJob;

await serveParquetJob((job: ParquetJob, progress) => {
  switch (job.kind) {
    case "table":
      return readTableInThread(job, progress);
    case "trace":
      return readTraceInThread(job, progress);
    case "trace-details":
      return traceDetailsInThread(job, progress);
    case "concat":
      return concatInThread(job, progress);
    case "trace-table":
      return readTraceTableInThread(job, progress);
    case "trace-import":
      return importInThread(job, progress);
  }
});

import { closedBatches } from "./batch-at-once.ts";
import type { BatchingPlugin } from "./policy.ts";

export const staticBatching: BatchingPlugin = {
  kind: "batching",
  name: "static",
  doc:
    "Waits for a full batch or a timeout, then runs it to its longest answer; seats of answers that ended before stay taken and paid for " +
    "(FasterTransformer, plain generate loops).",
  options: {
    batchSize: { default: 16, min: 1, max: 4096, whole: true, doc: "requests in a full batch" },
    timeoutMs: { default: 100, min: 0, max: 600_000, doc: "longest wait of the first request for a full batch" },
  },
  create: (options) => closedBatches({ batchSize: options.batchSize!, waitS: options.timeoutMs! / 1000, padded: true }),
};

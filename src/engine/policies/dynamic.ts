import { closedBatches } from "./batch-at-once.ts";
import type { BatchingPlugin } from "./policy.ts";

export const dynamic: BatchingPlugin = {
  kind: "batching",
  name: "dynamic",
  doc:
    "A batch as soon as the last one has ended: of whatever waits, up to maxBatchSize, after at most maxQueueDelayMs (Triton's dynamic batcher). " +
    "For work without decode or with a few tokens: rerankers, embeddings, classifiers.",
  options: {
    maxBatchSize: { default: 32, min: 1, max: 4096, whole: true, doc: "requests in one batch" },
    maxQueueDelayMs: { default: 2, min: 0, max: 600_000, doc: "longest wait of the first request for more" },
  },
  create: (options) =>
    closedBatches({ batchSize: options.maxBatchSize!, waitS: options.maxQueueDelayMs! / 1000, padded: false }),
};

/**
 * Writes one Parquet file from a sequence of record batches at flat memory: the encoder holds one row group, its bytes
 * go to the disk as they come. The target appears whole or not at all.
 */
import { open, rename, rm } from "node:fs/promises";
import type { WasmBatch } from "./parquet-read.ts";
import { writerProperties, type TableAbout, type WriteColumn } from "./parquet-write.ts";

/**
 * Writes `batches` to `target`, through `target` + ".tmp". Rethrows what the source of the batches or the disk throws
 * (with Node's code: ENOSPC, EACCES …) and then leaves neither of the two files. At least one batch is needed, it may
 * be empty. Consumes the batches.
 */
export async function streamParquet(
  target: string,
  batches: AsyncIterable<WasmBatch>,
  about: TableAbout,
  columns: readonly Pick<WriteColumn, "name" | "type">[],
): Promise<void> {
  const wasm = await import("parquet-wasm");
  const source = batches[Symbol.asyncIterator]();
  let failure: { readonly error: unknown } | null = null;
  const input = new ReadableStream<WasmBatch>(
    {
      async pull(controller) {
        try {
          const { done, value } = await source.next();
          if (done === true) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          // Closed and not errored: the encoder would throw the error on outside every promise.
          failure = { error };
          controller.close();
        }
      },
    },
    { highWaterMark: 0 },
  );
  const temporary = `${target}.tmp`;
  try {
    const output = await wasm.transformParquetStream(input, writerProperties(wasm, about, columns));
    const handle = await open(temporary, "w");
    try {
      for await (const chunk of output as AsyncIterable<Uint8Array>) await writeAll(handle, chunk);
    } finally {
      await handle.close();
    }
    if (failure !== null) throw (failure as { readonly error: unknown }).error;
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** A single write may be short, for example just before the disk is full. */
async function writeAll(handle: import("node:fs/promises").FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten;
  }
}

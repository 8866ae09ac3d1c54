/**
 * Writes one Parquet file from a sequence of record batches at flat memory: the encoder holds one row group, its bytes
 * go to the disk as they come. The target appears whole or not at all.
 */
import { open, rename, rm } from "node:fs/promises";
import { InvariantError } from "../kernel/errors.ts";
import type { WasmBatch } from "./parquet-read.ts";
import { writerProperties, type TableAbout, type WriteColumn } from "./parquet-write.ts";

/** An account that is known only after the last row: `bytes` of the footer are kept free for its JSON. */
export interface LateAbout {
  readonly bytes: number;
  final(): TableAbout;
}

/**
 * Writes `batches` to `target`, through `target` + ".tmp". Rethrows what the source of the batches or the disk throws
 * (with Node's code: ENOSPC, EACCES …) and then leaves neither of the two files. At least one batch is needed, it may
 * be empty. Consumes the batches.
 */
export async function streamParquet(
  target: string,
  batches: AsyncIterable<WasmBatch>,
  about: TableAbout | LateAbout,
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
    const reserved = "final" in about ? "x".repeat(about.bytes) : about;
    const output = await wasm.transformParquetStream(input, writerProperties(wasm, reserved, columns));
    const handle = await open(temporary, "w");
    try {
      for await (const chunk of output as AsyncIterable<Uint8Array>) await writeAll(handle, chunk);
    } finally {
      await handle.close();
    }
    if (failure !== null) throw (failure as { readonly error: unknown }).error;
    if ("final" in about) await replaceReserved(temporary, reserved as string, JSON.stringify(about.final()));
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    // Without a single batch the encoder complains too, but of the consequence.
    throw (failure as { readonly error: unknown } | null)?.error ?? error;
  }
}

/**
 * Puts the final JSON where the reserved text stands in the footer. The encoder wants all pairs before the first row; the
 * footer has no checksum, and spaces after JSON mean nothing, so the same length in place leaves a valid file.
 */
async function replaceReserved(file: string, reserved: string, json: string): Promise<void> {
  const text = Buffer.alloc(reserved.length, " ");
  const needed = Buffer.byteLength(json);
  if (needed > reserved.length) throw new InvariantError("IO-5 room in the footer", { needed, bytes: reserved.length });
  text.write(json);
  const handle = await open(file, "r+");
  try {
    const { size } = await handle.stat();
    const tail = Buffer.alloc(8);
    await handle.read(tail, 0, 8, size - 8);
    const footer = Buffer.alloc(tail.readUInt32LE(0));
    const start = size - 8 - footer.length;
    await handle.read(footer, 0, footer.length, start);
    const at = footer.indexOf(reserved);
    if (at < 0) throw new InvariantError("IO-5 room in the footer", { found: at, bytes: reserved.length });
    await handle.write(text, 0, text.length, start + at);
  } finally {
    await handle.close();
  }
}

/** A single write may be short, for example just before the disk is full. */
async function writeAll(handle: import("node:fs/promises").FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten;
  }
}

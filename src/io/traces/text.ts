/**
 * Text of a trace file, plain, gzipped or zstd, streamed in pieces. Latin-1 keeps one character per byte, so a piece may
 * be cut anywhere; names and numbers are ASCII, and `utf8` gives back what is not.
 */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Readable, Transform } from "node:stream";
import * as zlib from "node:zlib";
import { DataError } from "../../kernel/errors.ts";

export type Packing = "parquet" | "gzip" | "zstd" | "plain";

/** What a file is, by its first bytes. Throws DataError if it is missing, empty or a folder, Node's error if it cannot be read. */
export async function packingOf(file: string): Promise<Packing> {
  const handle = await open(file, "r").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      throw new DataError(file, null, "no such file");
    throw error;
  });
  try {
    if ((await handle.stat()).isDirectory()) throw new DataError(file, null, "this is a folder, a file is needed");
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    const head = buffer.subarray(0, bytesRead).toString("latin1");
    if (head === "") throw new DataError(file, null, "the file is empty");
    if (head === "PAR1") return "parquet";
    if (head.startsWith("\u001f\u008b")) return "gzip";
    return head === "(\u00b5/\u00fd" ? "zstd" : "plain";
  } finally {
    await handle.close();
  }
}

/** Pieces of the text as Latin-1. `onBytes` hears how many bytes of the file were read so far. */
export async function* textChunks(
  file: string,
  packing: Exclude<Packing, "parquet">,
  onBytes?: (bytes: number) => void,
): AsyncGenerator<string> {
  const bytes = createReadStream(file, { highWaterMark: 1 << 20 });
  let source: Readable = bytes;
  if (packing !== "plain") {
    source = bytes.pipe(packing === "gzip" ? zlib.createGunzip({ chunkSize: 1 << 18 }) : unzstd(file));
    bytes.once("error", (error) => source.destroy(error));
  }
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      onBytes?.(bytes.bytesRead);
      yield chunk.toString("latin1");
    }
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!code.startsWith("Z")) throw error;
    const what = code === "Z_BUF_ERROR" ? "the gzip stream is truncated" : `the ${packing} stream is corrupt`;
    throw new DataError(file, null, `${what} (${(error as Error).message})`);
  } finally {
    bytes.destroy();
  }
}

/** Node has zstd from 22.15 on. */
function unzstd(file: string): Transform {
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform };
  if (createZstdDecompress !== undefined) return createZstdDecompress();
  throw new DataError(
    file,
    null,
    `zstd needs Node 22.15 or newer, this is ${process.versions.node}; unpack the file first (zstd -d)`,
  );
}

/** A Latin-1 piece of text as the UTF-8 that it was. */
export function utf8(text: string): string {
  return /[\u0080-\u00ff]/.test(text) ? Buffer.from(text, "latin1").toString("utf8") : text;
}

/** Calls `onLine` with the bounds of each line, line end excluded, for every piece of text; yields after each piece. */
export async function* lines(
  chunks: AsyncIterable<string>,
  onLine: (text: string, start: number, stop: number) => void,
): AsyncGenerator<void> {
  let rest = "";
  for await (const chunk of chunks) {
    const text = rest + chunk;
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      onLine(text, start, beforeReturn(text, start, end));
      start = end + 1;
    }
    rest = text.slice(start);
    yield;
  }
  if (rest !== "") onLine(rest, 0, beforeReturn(rest, 0, rest.length));
  yield;
}

function beforeReturn(text: string, start: number, end: number): number {
  return end > start && text.charCodeAt(end - 1) === CR ? end - 1 : end;
}

const CR = 13;

/** A byte order mark as Latin-1 shows it. */
export const BYTE_ORDER_MARK = /^\u00ef\u00bb\u00bf/;

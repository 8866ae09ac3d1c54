/** A page at the place that the user named. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { environmentFailure } from "./exit.ts";

/** Folders are made on the way. Throws EnvironmentFailure where it can't be written. */
export async function writePage(file: string, html: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, html);
  } catch (error) {
    throw environmentFailure(error, `cannot write ${file}`);
  }
}

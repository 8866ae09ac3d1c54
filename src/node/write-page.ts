/** A page at the place that the user named. */
import { writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { environmentFailure } from "./exit.ts";
import { makeFolder } from "./make-folder.ts";

/** Folders are made on the way. Throws EnvironmentFailure where it can't be written. */
export async function writePage(file: string, html: string): Promise<void> {
  try {
    await makeFolder(dirname(file));
    await writeFile(file, html);
  } catch (error) {
    throw environmentFailure(error, `cannot write ${file}`);
  }
}

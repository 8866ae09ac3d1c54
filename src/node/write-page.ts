/** A page at the place that the user named. */
import { access, constants, open, rm, stat, writeFile } from "node:fs/promises";
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

/** Before work that takes long: throws EnvironmentFailure where `writePage` will not be able to write. Leaves no file. */
export async function checkPage(file: string): Promise<void> {
  try {
    await makeFolder(dirname(file));
    const found = await stat(file).catch(() => null);
    if (found === null) {
      await (await open(file, "wx")).close();
      await rm(file);
    } else if (found.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    else await access(file, constants.W_OK);
  } catch (error) {
    throw environmentFailure(error, `cannot write ${file}`);
  }
}

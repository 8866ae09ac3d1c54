/** Folders for what a command writes. */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes a folder and those above it that are missing; gives the first that it made, undefined if all were there. Node's own
 * recursion never ends where a folder that exists takes no entries and says so by "no such file" (/proc).
 */
export async function makeFolder(path: string): Promise<string | undefined> {
  const made = await mkdirOrCode(path);
  if (made === null) return path;
  if (made !== "ENOENT") {
    // Tells a folder that is there from a file in its place.
    await mkdir(path, { recursive: true });
    return undefined;
  }
  const first = await makeFolder(dirname(path));
  await mkdir(path);
  return first ?? path;
}

/** Null when it was made. */
async function mkdirOrCode(path: string): Promise<string | null> {
  try {
    await mkdir(path);
    return null;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "";
  }
}

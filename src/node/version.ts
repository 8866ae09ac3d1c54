/** Which Crossover this is: its `package.json` lies two levels above `src/node/` and `dist/node/` alike. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";

export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}

/** SHA-256, in hex, over the code in `folder` (by default that which runs), types and maps left out: a version in the making has many. */
export async function codeDigest(folder = fileURLToPath(new URL("..", import.meta.url))): Promise<string> {
  const found = (await readdir(folder, { recursive: true })).filter((file) => /(?<!\.d)\.[jt]s$/.test(file));
  // By names and in an order that are the same on every system.
  const files = found.map((file) => file.split(sep).join("/")).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file))));
  const hash = createHash("sha256");
  files.forEach((file, i) => hash.update(`${file}\0${texts[i]!.length}\0`).update(texts[i]!));
  return hash.digest("hex");
}

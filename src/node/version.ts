/** Version of this package, read from its `package.json`, which lies two levels above `src/node/` and `dist/node/` alike. */
import { readFileSync } from "node:fs";

export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}

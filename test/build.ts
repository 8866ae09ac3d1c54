/** Builds the product once before the tests, which run its command line as it ships. */
import { execSync } from "node:child_process";

export function setup(): void {
  execSync("npm run --silent build", { stdio: "inherit" });
}

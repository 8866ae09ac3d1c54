/** A file that appears whole or not at all, also when Ctrl-C ends the command that writes it. */
import { rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { EXIT } from "./exit.ts";

/** Runs `work`, which writes `temporary` and renames it at its end. Whatever stops it, `temporary` does not stay. */
export async function wholeOrNothing<T>(temporary: string, work: (temporary: string) => Promise<T>): Promise<T> {
  const onSignal = (): never => {
    rmSync(temporary, { force: true });
    process.stderr.write("\nInterrupted; nothing was written.\n");
    process.exit(EXIT.interrupted);
  };
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  try {
    return await work(temporary);
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

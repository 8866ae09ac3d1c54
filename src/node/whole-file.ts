/** A file that appears whole or not at all, also when Ctrl-C ends the command that writes it. */
import { rmSync } from "node:fs";
import { open, rm, stat } from "node:fs/promises";
import { describeFailure, InterruptedError, tellFailure } from "./exit.ts";

/**
 * Runs `work`, which writes `temporary`, beside `target`, and renames it at its end. Whatever stops it, `temporary` does not
 * stay. Throws Node's error before `work` begins where it could not end.
 */
export async function wholeOrNothing<T>(target: string, work: (temporary: string) => Promise<T>): Promise<T> {
  const found = await stat(target).catch(() => null);
  if (found?.isDirectory() === true) throw Object.assign(new Error(), { code: "EISDIR" });
  const temporary = `${target}.tmp`;
  const onSignal = (): never => {
    rmSync(temporary, { force: true });
    process.exit(tellFailure(describeFailure(new InterruptedError("Interrupted; nothing was written."), "")));
  };
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  try {
    await (await open(temporary, "w")).close();
    return await work(temporary);
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

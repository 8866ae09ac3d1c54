/** Targets of a class. */
import type { Slo } from "./resolved.ts";

/** Whether there is anything to attain. */
export function hasTarget({ ttftS, tpotS, e2eS }: Slo): boolean {
  return ttftS !== null || tpotS !== null || e2eS !== null;
}

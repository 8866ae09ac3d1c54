/** A pool's own table of step times: its points rise, and no step that can happen takes less than nothing. */
import type { EngineSpec } from "../engine/spec.ts";
import { interpolatedMs, type StepTimeRow } from "../engine/step-time-table.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { PoolFile } from "./schema.ts";

/** Rows are null where the pool has no table. Null after a problem. */
export function resolveStepTimeTable(
  resolution: Resolution,
  file: PoolFile,
  { maxNumSeqs, maxNumBatchedTokens }: EngineSpec,
  path: Path,
  at: string,
): { readonly rows: readonly StepTimeRow[] | null } | null {
  const tablePath = [...path, "stepTimeTable"];
  resolution.fromFile(`${at}.stepTimeTable`, tablePath);
  const rows = file.stepTimeTable;
  if (rows === undefined) return { rows: null };
  const fallen = rows.findIndex((row, i) => i > 0 && row.batchTokens <= rows[i - 1]!.batchTokens);
  if (fallen >= 0) {
    resolution.problem(
      [...tablePath, fallen, "batchTokens"],
      `expected more than ${rows[fallen - 1]!.batchTokens} (the row before), got ${rows[fallen]!.batchTokens}`,
      "sort the rows by batchTokens",
    );
    return null;
  }
  const most = Math.max(maxNumSeqs, maxNumBatchedTokens);
  for (const column of ["promptMs", "tokenMs"] as const)
    for (const tokens of [1, most]) {
      const ms = interpolatedMs(rows, column, tokens);
      if (ms > 0) continue;
      const row = tokens === 1 ? 0 : rows.length - 1;
      resolution.problem(
        [...tablePath, row, column],
        `a step of ${tokens} tokens would take ${ms.toPrecision(3)} ms: the line through the ${tokens === 1 ? "first" : "last"} two rows falls below 0 there`,
        `add a row for ${tokens} tokens`,
      );
      return null;
    }
  return { rows };
}

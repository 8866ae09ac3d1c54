/** Which single requests `--requests` takes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RunTask } from "../../src/experiment/run-one.ts";
import { readParquetTable } from "../../src/io/parquet-table.ts";
import { openRequestRows } from "../../src/node/request-rows.ts";
import { BOUNDARY_REFUSED, COMPLETED, IN_FLIGHT_AT_HORIZON, TIMED_OUT } from "../../src/outcome/recorder.ts";
import { offer, requestClass, setting, strategy, to } from "../fixtures/strategies.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "request-rows-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("the worst are those without an answer, then the slowest; what the boundary refused or has not ended comes last", async () => {
  const experiment = {
    ...setting(),
    strategies: [strategy([[to("offer")]], [], [offer()])],
    classes: [requestClass()],
  };
  const task = { experiment, strategy: 0, replication: 0, replicas: [] } as unknown as RunTask;
  const sentS = async (count: number) => {
    const rows = await openRequestRows(task, { kind: "worst", count }, join(folder, `worst-${count}`));
    const row = (request: number, ttftS: number, outcome: number) =>
      rows.row(request, request, 0, 1, 100, 10, ttftS, 0.01, ttftS, outcome, 1, 0);
    row(0, NaN, BOUNDARY_REFUSED);
    row(1, 0.1, COMPLETED);
    row(2, 0.9, COMPLETED);
    row(3, NaN, TIMED_OUT);
    row(4, NaN, BOUNDARY_REFUSED);
    row(5, NaN, IN_FLIGHT_AT_HORIZON);
    const { columns } = await readParquetTable(rows.close()[0]!, ["sentS"]);
    return [...(columns.sentS as Float64Array)];
  };
  expect(await sentS(3)).toEqual([3, 2, 1]);
  expect(await sentS(5)).toEqual([3, 2, 1, 0, 4]);
  expect(await sentS(9)).toEqual([3, 2, 1, 0, 4, 5]);
});

/** `crossover run` as a user meets it: files, bytes, threads, interruption, disks and folders. Runs a small experiment. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { Summary } from "../../src/decision/summary.ts";
import { readParquetTable } from "../../src/io/parquet-table.ts";
import { MAIN } from "./crossover.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const work = mkdtempSync(join(tmpdir(), "crossover-run-"));
const experiment = join(work, "experiment.yaml");

function crossover(...args: string[]) {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8", cwd: work });
}

/** Folder of the only run below `out`. */
function runFolder(out: string, id = "chat-self-host-or-api"): string {
  const folder = join(work, out, id);
  const runs = readdirSync(folder).filter((name) => !name.startsWith("."));
  expect(runs).toHaveLength(1);
  return join(folder, runs[0]!);
}

/** The shipped main experiment, shorter. */
function shortened(changes: Record<string, unknown>): string {
  const file = parse(readFileSync(join(ROOT, "experiments/chat-self-host-or-api.yaml"), "utf8")) as object;
  return stringify({ ...file, ...changes });
}

beforeAll(() => writeFileSync(experiment, shortened({ days: 0.1, warmupMinutes: 5, replications: 2 })));
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe("a run", () => {
  test("writes its folder, ends with the report's path, and reuses it when asked again", () => {
    const first = crossover("run", experiment, "--out", "once");
    expect(first.stderr).toBe("");
    expect(first.status).toBe(0);
    const folder = runFolder("once");
    expect(first.stdout.trimEnd().split("\n").at(-1)).toBe(
      `Report: ${join("once", folder.slice(join(work, "once").length + 1), "report.html")}`,
    );
    expect(first.stdout).toContain("Verdict (indicative");
    for (const name of [
      "manifest.json",
      "summary.json",
      "windows.parquet",
      "ledger.parquet",
      "incidents.parquet",
      "pool-hours.parquet",
      "report.html",
    ])
      expect(existsSync(join(folder, name)), name).toBe(true);
    const summary = JSON.parse(readFileSync(join(folder, "summary.json"), "utf8")) as Summary;
    expect(summary.complete).toBe(true);
    const byName = new Map(summary.strategies.map((strategy) => [strategy.name, strategy]));
    expect(byName.get("api-first")!.permitted).toBe(false);
    expect(byName.get("api-first")!.requests.boundaryRefused.mean).toBeGreaterThan(0);
    expect(byName.get("self-hosted")!.requests.boundaryRefused.mean).toBe(0);
    for (const strategy of summary.strategies) {
      const r = strategy.requests;
      const ended = [r.completed, r.rejected, r.timedOut, r.failed, r.boundaryRefused, r.inFlightAtHorizon];
      expect(ended.reduce((sum, estimate) => sum + estimate.mean, 0)).toBeCloseTo(r.sent.mean, 6);
    }
    const { costTie, missedTargets } = summary.remarks;
    expect(costTie).toContain("on cost");
    for (const sentence of [costTie!, ...missedTargets.map((missed) => missed.sentence)])
      expect(first.stdout).toContain(sentence);
    const again = crossover("run", experiment, "--out", "once");
    expect(again.status).toBe(0);
    expect(again.stderr).toContain("reused");
    expect(again.stdout).toBe(first.stdout);
    const report = readFileSync(join(folder, "report.html"), "utf8");
    rmSync(join(folder, "report.html"));
    const filled = crossover("run", experiment, "--out", "once");
    expect(filled.status).toBe(0);
    expect(filled.stderr).toMatch(/^report\.html is missing in .*; the question is answered again\.$/m);
    expect(readFileSync(join(folder, "report.html"), "utf8")).toBe(report);
  });

  test("says how to run it again, whatever the names", () => {
    const file = join(work, "my file's.yaml");
    writeFileSync(file, shortened({ days: 0.02, warmupMinutes: 5, replications: 1 }));
    const args = ["run", file, "--seed", "a b"];
    expect(crossover(...args, "--out", "names").status).toBe(0);
    const manifest = join(runFolder("names"), "manifest.json");
    const { replayCommand } = JSON.parse(readFileSync(manifest, "utf8")) as { replayCommand: string };
    const words = spawnSync("sh", ["-c", `printf '%s\\0' ${replayCommand}`], { encoding: "utf8" }).stdout.split("\0");
    expect(words).toEqual(["npx", "crossover", ...args, ""]);
  });

  test("gives the same summary.json with one thread and with two, and names no path, clock or host", () => {
    expect(crossover("run", experiment, "--out", "one", "--threads", "1").status).toBe(0);
    expect(crossover("run", experiment, "--out", "two", "--threads", "2").status).toBe(0);
    const one = readFileSync(join(runFolder("one"), "summary.json"), "utf8");
    expect(readFileSync(join(runFolder("two"), "summary.json"), "utf8")).toBe(one);
    expect(one).not.toContain(work);
  });

  test("--json prints the summary, --seed and --replications change it", () => {
    const result = crossover("run", experiment, "--out", "json", "--json", "--seed", "8", "--replications", "1");
    expect(result.status).toBe(0);
    const summary = JSON.parse(result.stdout) as Summary;
    expect(summary.seed).toBe("8");
    expect(summary.replications).toBe(1);
    expect(summary.strategies[0]!.usdPerMonth!.lo).toBeNull();
  });

  test("--what-if-unrestricted is a labelled counterfactual that refuses nothing", () => {
    const result = crossover(
      "run",
      experiment,
      "--out",
      "what-if",
      "--what-if-unrestricted",
      "--json",
      "--replications",
      "1",
    );
    const summary = JSON.parse(result.stdout) as Summary;
    const api = summary.strategies.find((strategy) => strategy.option === "api")!;
    expect(api.counterfactual).toBe(true);
    expect(api.permitted).toBe(false);
    expect(api.requests.boundaryRefused.mean).toBe(0);
    expect(readFileSync(join(runFolder("what-if"), "report.html"), "utf8").toLowerCase()).toContain("counterfactual");
  });

  test.each([
    ["all", (rows: number, sent: number) => rows === sent],
    ["sample:0.1", (rows: number, sent: number) => Math.abs(rows / sent - 0.1) < 0.01],
    ["worst:25", (rows: number) => rows === 25 * 3],
  ])("--requests %s writes one row for each request that was sent", async (which, right) => {
    const out = `rows-${which.replace(":", "-")}`;
    const result = crossover("run", experiment, "--out", out, "--requests", which, "--json", "--replications", "1");
    expect(result.stderr).toBe("");
    const summary = JSON.parse(result.stdout) as Summary;
    const folder = runFolder(out);
    expect(readdirSync(folder).filter((name) => name.startsWith(".requests"))).toEqual([]);
    const table = await readParquetTable(join(folder, "requests.parquet"));
    const sent = summary.strategies.reduce((sum, { requests }) => sum + requests.sent.mean, 0);
    expect(right(table.rows, sent)).toBe(true);
  });
});

describe("what goes wrong", () => {
  test("Ctrl-C keeps what has finished, labels it and leaves no half-written file", async () => {
    const long = join(work, "long.yaml");
    // One thread: replication 0 of each strategy ends long before the rest.
    writeFileSync(
      long,
      shortened({ days: 0.3, warmupMinutes: 0, replications: 200 }).replaceAll("replicas: auto", "replicas: 3"),
    );
    // On a busy machine nothing has ended by then, and nothing is kept: it gets longer.
    for (let waitMs = 9000; waitMs < 60_000 && !existsSync(join(work, "cut", "chat-self-host-or-api")); waitMs *= 2) {
      const child = spawn(process.execPath, [MAIN, "run", long, "--out", "cut", "--threads", "1"], { cwd: work });
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      const closed = new Promise((resolve) => child.on("close", resolve));
      // Twice, as from a supervisor that passes on what its terminal sends to all.
      child.kill("SIGINT");
      await new Promise((resolve) => setTimeout(resolve, 50));
      child.kill("SIGINT");
      expect(await closed).toBe(130);
    }
    const folder = runFolder("cut");
    const summary = JSON.parse(readFileSync(join(folder, "summary.json"), "utf8")) as Summary;
    expect(summary.complete).toBe(false);
    expect(summary.strategies.length).toBeGreaterThan(0);
    for (const strategy of summary.strategies) expect(strategy.replications).toBeLessThan(200);
    // What all of them have: fewer than ten are indicative, however many were asked for.
    expect(summary.replications).toBe(Math.min(...summary.strategies.map(({ replications }) => replications)));
    expect(summary.verdict!.indicative).toBe(summary.replications < 10);
    expect(readdirSync(join(work, "cut", "chat-self-host-or-api"))).toHaveLength(1);
  }, 120_000);

  test("Ctrl-C while fleets are sized ends at once: exit 130, nothing is written", async () => {
    const busy = join(work, "busy.yaml");
    const { traffic } = parse(readFileSync(experiment, "utf8")) as { traffic: object };
    // Some minutes of sizing.
    writeFileSync(busy, shortened({ days: 1, traffic: { ...traffic, requestsPerS: 1000 } }));
    const child = spawn(process.execPath, [MAIN, "run", busy, "--out", "sizing"], { cwd: work });
    let talk = "";
    child.stderr.on("data", (part: Buffer) => (talk += part.toString()));
    const closed = new Promise((resolve) => child.on("close", resolve));
    await new Promise((resolve) => child.stderr.once("data", resolve));
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const cutMs = performance.now();
    child.kill("SIGINT");
    expect(await closed).toBe(130);
    expect(performance.now() - cutMs).toBeLessThan(10_000);
    expect(talk).toMatch(/^To simulate: about [0-9,]+ million requests, some .* on \d+ threads?; .*\n/);
    expect(talk.split("\n")[1]).toBe("Interrupted before any run had finished; nothing was written.");
    const folder = join(work, "sizing");
    expect(existsSync(folder) ? readdirSync(folder, { recursive: true }) : []).toEqual([]);
  });

  test("a foreign folder in the way is left alone: exit 4", () => {
    crossover("run", experiment, "--out", "foreign", "--replications", "1");
    const folder = runFolder("foreign");
    rmSync(join(folder, "manifest.json"));
    const result = crossover("run", experiment, "--out", "foreign", "--replications", "1");
    expect(result.status).toBe(4);
    expect(result.stderr).toContain("is not empty");
    expect(existsSync(join(folder, "summary.json"))).toBe(true);
  });

  test("a folder that cannot be written: exit 4, nothing left behind", () => {
    writeFileSync(join(work, "a-file"), "");
    const result = crossover("run", experiment, "--out", "a-file", "--replications", "1");
    expect(result.status).toBe(4);
    expect(result.stderr).toMatch(/a-file/);
  });

  test("a full disk: exit 4, clear message, no half-written file", () => {
    const disk = join(work, "small-disk");
    mkdirSync(disk);
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]);
    if (mounted.status !== 0) {
      console.warn("SKIPPED: no right to mount a small tmpfs here, so the full disk was not tested");
      return;
    }
    try {
      const result = crossover("run", experiment, "--out", disk, "--replications", "1");
      expect(result.status).toBe(4);
      expect(result.stderr).toContain("no space left");
      expect(readdirSync(disk)).toEqual([]);
    } finally {
      spawnSync("umount", [disk]);
    }
  });

  test.each([
    ["cut short", (bytes: Buffer) => bytes.subarray(0, 20_000), "not a whole Parquet file"],
    [
      "with a page overwritten",
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 3000), Buffer.alloc(8, 255), bytes.subarray(3008)]),
      "is corrupt",
    ],
    ["with negative tokens", () => Buffer.from("arrivalS,inputTokens,outputTokens\n0,10,5\n1,10,-5\n"), "row 2"],
    ["without rows", () => Buffer.from("arrivalS,inputTokens,outputTokens\n"), "no rows"],
  ])("a recording %s is a data error that names the file: exit 3", (_, broken, message) => {
    const recording = join(work, "recording");
    writeFileSync(recording, broken(readFileSync(join(ROOT, "models/traffic/azure-llm-2023-conv.parquet"))));
    const file = join(work, "replay.yaml");
    const shipped = readFileSync(join(ROOT, "experiments/azure-2023-replay.yaml"), "utf8");
    writeFileSync(file, shipped.replace("../models/traffic/azure-llm-2023-conv.parquet", recording));
    const result = crossover("run", file, "--out", "broken");
    expect(result.status).toBe(3);
    expect(result.stderr).toContain(recording);
    expect(result.stderr).toContain(message);
    expect(existsSync(join(work, "broken"))).toBe(false);
  });

  test("a target that no fleet meets is infeasible: exit 5", () => {
    const file = join(work, "infeasible.yaml");
    writeFileSync(file, shortened({ days: 0.02, replications: 1 }).replaceAll("ttftMs: 3000", "ttftMs: 1"));
    const result = crossover("run", file, "--out", "infeasible");
    expect(result.status).toBe(5);
    expect(result.stderr).toMatch(
      /do not meet the SLO on the peak days \(class \w+ gets TTFT 1 ms.* at most 9?\d\.\d % of the time, and wants 99 %/,
    );
  });
});

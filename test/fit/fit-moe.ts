/**
 * Refits the MoE coefficient sets, and prints those that the catalogue holds (DR-35) as rows for `models/coefficients/`:
 *
 *   npm run fit:moe -- FOLDER-OF-CASES calibration|all
 *
 * Robust least squares of log residuals of closed-loop TPOT, as for dense models. Few rows must not bend a set out of shape: the global
 * set has priors from physics, that of an engine lies near the global one, that of a GPU and engine near the engine's. Sets
 * of one model have the priors of the global one again: what other models need on that GPU says little of them. A GPU and engine with
 * measured kernels (`layer-kernels.ts`) has them as further points: its rows have few formats and four requests or more. Rows of fit set
 * `calibration` are those of that role.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CoefficientScope } from "../../src/engine/coefficients.ts";
import type { StepCoefficients } from "../../src/engine/spec.ts";
import { createStepTime } from "../../src/engine/step-time-physics.ts";
import type { StepTime } from "../../src/engine/step-time.ts";
import { type RecordedCase, meanTokens, parseCaseFile } from "../../src/experiment/validate/case.ts";
import { closedLoopTpotS } from "../../src/experiment/validate/closed-loop.ts";
import { quantile } from "../../src/experiment/validate/metrics.ts";
import { kvDtypeOf } from "../../src/experiment/validate/assumed.ts";
import { FITTED_BUDGET_TOKENS, type Setup, layoutOf, lookUp } from "../../src/experiment/validate/setup.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";
import { type KernelPoint, kernelPoints } from "./layer-kernels.ts";
import { fitRobust } from "./least-squares.ts";

type Name = Exclude<keyof StepCoefficients, "scope">;

/** Step times of MoE models scatter by about this much around any set. */
const ROW_SPREAD = 0.1;
/**
 * Typical value, plausible relative spread, and how far a finer set may lie from the wider one. `ew` and `groupedGemmMsPerLayer` are
 * of kernel times (`test/fixtures/fused-moe-kernels.json`: rate and floor of a straight line through them); `expertHalfTokens` is as the dense `mfuHalfTokens`; `activationPasses` 37 is counted.
 */
const PRIORS: Partial<Record<Name, readonly [typical: number, spread: number, offset: number]>> = {
  ew: [0.83, 0.1, 0.08],
  ekv: [0.8, 0.4, 0.3],
  mfu: [0.7, 0.15, 0.2],
  tlMsPerLayer: [0.04, 0.5, 0.3],
  tsMsPerSeq: [0.015, 1, 0.6],
  arMs: [0.01, 1, 0.6],
  el: [0.25, 0.6, 0.3],
  ea: [0.5, 0.4, 0.3],
  moeMsPerLayer: [0.02, 1, 0.6],
  quantMsPerLayer: [0.015, 1, 0.3],
  activationPasses: [37, 0.15, 0.09],
  expertHalfTokens: [60, 0.5, 0.3],
  groupedGemmMsPerLayer: [0.03, 0.5, 0.3],
};
const NAMES = Object.keys(PRIORS) as Name[];
const AT_MOST_ONE: readonly Name[] = ["ew", "ekv", "mfu", "el", "ea"];
const SCOPES: readonly CoefficientScope[] = ["global", "engine", "gpu+engine", "gpu+engine+model+dtype"];

interface Row {
  readonly recorded: RecordedCase;
  readonly setup: Setup;
  readonly tpotMs: number;
}

const { catalog } = await loadCatalog(["gpus", "llms", "engines"], undefined);
const [folder = "models/validation", fitSet = "calibration"] = process.argv.slice(2);
const rows = readRows(join(folder, "aic-silicon-aggregated.json"));

function readRows(file: string): Row[] {
  const parsed = parseCaseFile(file, JSON.parse(readFileSync(file, "utf8"))) ?? [];
  return parsed.flatMap((one) => {
    if (!one.ok || !one.case.tags.includes("moe") || one.case.tags.includes("not-fitted")) return [];
    const setup = lookUp(one.case, catalog);
    return typeof setup === "string"
      ? []
      : [{ recorded: one.case, setup, tpotMs: one.case.measured["tpotMsMean"] as number }];
  });
}

function coefficientsOf(logs: readonly number[]): StepCoefficients {
  const values = Object.fromEntries(
    NAMES.map((name, i) => [name, AT_MOST_ONE.includes(name) ? Math.min(1, Math.exp(logs[i]!)) : Math.exp(logs[i]!)]),
  );
  return { scope: "fit", t0Ms: 0.01, ...values } as StepCoefficients;
}

const MAX_CONCURRENCY = Math.max(...rows.map(({ recorded }) => Math.round(recorded.load.concurrency!)));

/** Predicted over measured, less one. Rows of one deployment share a step time. */
function errors(of: readonly Row[], logs: readonly number[]): number[] {
  const coefficients = coefficientsOf(logs);
  const stepTimes = new Map<string, StepTime>();
  return of.map(({ recorded, setup, tpotMs }) => {
    const { gpu, model, weightDtype, tp, load, engine, engineOptions } = recorded;
    const kvDtype = kvDtypeOf(recorded, setup);
    const deployment = [gpu, model, weightDtype, kvDtype, tp].join(" ");
    const stepTime =
      stepTimes.get(deployment) ??
      createStepTime(
        setup.gpu,
        setup.llm,
        {
          weightDtype: setup.weightDtype,
          kvDtype,
          ...layoutOf(recorded),
          maxNumSeqs: MAX_CONCURRENCY,
          tpreMsPerLayer: 0,
        },
        coefficients,
      );
    stepTimes.set(deployment, stepTime);
    const [input, output] = [meanTokens(load.inputTokens!)!, meanTokens(load.outputTokens!)!];
    const budget = engineOptions.maxNumBatchedTokens ?? FITTED_BUDGET_TOKENS[engine]!;
    return (closedLoopTpotS(stepTime, Math.round(load.concurrency!), input, output, budget) * 1000) / tpotMs - 1;
  });
}

/** Log of computed over measured layers: a point counts like a row. */
function againstKernels(points: readonly KernelPoint[], coefficients: StepCoefficients): number[] {
  return points.map(({ measuredMs, computedMs }) => Math.log(computedMs(coefficients) / measuredMs) / ROW_SPREAD);
}

function isOf({ gpu, engine }: KernelPoint, { recorded }: Row): boolean {
  return gpu === recorded.gpu && engine === recorded.engine;
}

function fit(
  of: readonly Row[],
  centre: readonly number[],
  spreads: readonly number[],
  points: readonly KernelPoint[],
): number[] {
  return fitRobust(
    (logs) => [
      ...errors(of, logs).map((error) => Math.log1p(error) / ROW_SPREAD),
      ...logs.map((value, i) => (value - centre[i]!) / spreads[i]!),
      ...againstKernels(points, coefficientsOf(logs)),
    ],
    centre,
    15,
  );
}

/** Whether the catalogue holds it: others are no nearer for a model that was left out than the global set, and only the centre of finer ones. */
function isKept(scope: CoefficientScope, of: Row): boolean {
  if (scope === "engine") return of.recorded.engine === "trtllm";
  return scope !== "gpu+engine" || (of.recorded.engine === "vllm" && of.recorded.gpu === "h100-sxm");
}

/** What the set of a scope is for, as its row names it; sets of one scope differ in it. */
function keyOf({ recorded }: Row, scope: CoefficientScope): string {
  const { gpu, engine, model, weightDtype } = recorded;
  if (scope === "global") return "";
  if (scope === "engine") return `    engine: ${engine}\n`;
  const key = `    gpu: ${gpu}\n    engine: ${engine}\n`;
  return scope === "gpu+engine" ? key : `${key}    llm: ${model}\n    weightDtype: ${weightDtype}\n`;
}

/** Mean and median absolute error in percent. */
function figures(of: readonly Row[], logs: readonly number[]): readonly [string, string] {
  if (of.length === 0) return ["null", "null"];
  const absolute = errors(of, logs)
    .map((error) => Math.abs(error) * 100)
    .sort((a, b) => a - b);
  const mean = absolute.reduce((sum, x) => sum + x, 0) / absolute.length;
  return [mean.toFixed(1), quantile(absolute, 0.5).toFixed(1)];
}

function print(scope: CoefficientScope, key: string, logs: readonly number[], own: Row[], unseen: Row[]): void {
  const { scope: _scope, ...values } = coefficientsOf(logs);
  const rounded = Object.entries(values).map(([name, value]) => `${name}: ${Number((value as number).toPrecision(4))}`);
  const [fitMape, fitMedian] = figures(own, logs);
  const [mape, median] = figures(unseen, logs);
  process.stdout.write(
    `  - scope: ${scope}\n${key}    fittedRows: ${own.length}\n    fitMapePercent: ${fitMape}\n    fitMedianPercent: ${fitMedian}\n` +
      `    validationRows: ${unseen.length}\n    validationMapePercent: ${mape}\n    validationMedianPercent: ${median}\n` +
      `    values: { ${rounded.join(", ")} }\n`,
  );
}

/** Signed errors in percent at the quantiles of a residual band. */
function band(signed: readonly number[]): string {
  const sorted = [...signed].sort((a, b) => a - b);
  const [p5, p25, p50, p75, p95] = [0.05, 0.25, 0.5, 0.75, 0.95].map((q) => Math.round(quantile(sorted, q) * 100));
  return `{ p5: ${p5}, p25: ${p25}, p50: ${p50}, p75: ${p75}, p95: ${p95} }`;
}

const fitted = rows.filter(({ recorded }) => fitSet === "all" || recorded.role === "calibration");
const unseen = rows.filter((row) => !fitted.includes(row));
const kernels = kernelPoints(catalog, "moe");
let wider = new Map<string, number[]>();
const byScope = new Map<CoefficientScope, Map<string, number[]>>();
for (const [level, scope] of SCOPES.entries()) {
  const sets = new Map<string, number[]>();
  const fromPhysics = scope === "global" || scope === "gpu+engine+model+dtype";
  for (const key of new Set(fitted.map((row) => keyOf(row, scope))).values()) {
    const own = fitted.filter((row) => keyOf(row, scope) === key);
    const centre = fromPhysics
      ? NAMES.map((name) => Math.log(PRIORS[name]![0]))
      : wider.get(keyOf(own[0]!, SCOPES[level - 1]!))!;
    const logs = fit(
      own,
      centre,
      NAMES.map((name) => PRIORS[name]![level === 0 ? 1 : 2]),
      scope === "gpu+engine" ? kernels.filter((point) => isOf(point, own[0]!)) : [],
    );
    sets.set(key, logs);
    if (!isKept(scope, own[0]!)) continue;
    print(
      scope,
      key,
      logs,
      own,
      unseen.filter((row) => keyOf(row, scope) === key),
    );
  }
  byScope.set(scope, sets);
  wider = sets;
}
for (const scope of ["gpu+engine+model+dtype", "global"] as const) {
  const sets = byScope.get(scope)!;
  const signed = unseen.flatMap((row) =>
    sets.has(keyOf(row, scope)) ? errors([row], sets.get(keyOf(row, scope))!) : [],
  );
  process.stdout.write(`# band ${scope}: ${signed.length === 0 ? "no unseen rows" : band(signed)}\n`);
}

/**
 * Refits the constants of `models/engines/vllm-0.19.yaml` on the runs of Llama-3.1-8B in BF16 of the published sweep, and prints them
 * with what the runs that were not fitted say:
 *
 *   npm run fit:profile -- FOLDER-OF-CASES
 *
 * Each run is simulated as `validate` does it. Percentiles of a simulation have steps, so the search tries one constant at a time, up and down,
 * by ratios that shrink. Wide priors: a factor of e² either way is two standard deviations.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Catalog, CatalogEntry } from "../../src/catalog/schema.ts";
import { type RecordedCase, parseCaseFile } from "../../src/experiment/validate/case.ts";
import type { CaseMetrics } from "../../src/experiment/validate/metrics.ts";
import { predictCase } from "../../src/experiment/validate/predict.ts";
import { simulateCase } from "../../src/experiment/validate/simulate-case.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";

const PROFILE = "vllm-0.19";
const START = { tpreMsPerLayer: 0.07, prefillMsPerToken: 0.011, stepMs: 0.6, apiOverheadMs: 6 } as const;
type Name = keyof typeof START;
const NAMES = Object.keys(START) as Name[];
const PRIOR_SPREAD = 2;

/** Relative errors that count as one; above saturation, where one error makes the next, half as much again. */
const SPREADS = {
  tpotMsP50: 0.04,
  tpotMsP90: 0.04,
  e2eMsP50: 0.04,
  e2eMsP99: 0.04,
  ttftMsMean: 0.12,
  ttftMsP50: 0.12,
} as const;
const TAIL = { ttftMsP99: 0.12, outputTokensPerS: 0.04 } as const;
const METRICS: Readonly<Record<string, number>> = { ...SPREADS, ...TAIL };
const OVERLOAD_SPREAD = 1.5;
/** A stall in the middle of these runs: their tails and means are its. */
const STALLED = "suspicious-ttft-p99";
const OF_A_STALL = ["ttftMsP99", "ttftMsMean", "e2eMsP99"];

const { catalog } = await loadCatalog(["gpus", "llms", "engines", "coefficients"], undefined);
const file = join(process.argv[2] ?? "models/validation", "cost-meter-h100.json");
const runs = (parseCaseFile(file, JSON.parse(readFileSync(file, "utf8"))) ?? []).flatMap((one) =>
  one.ok && one.case.engine === "vllm" ? [one.case] : [],
);
const isFitted = (run: RecordedCase): boolean => run.model === "llama-3.1-8b" && run.weightDtype === "bf16";

function predicted(run: RecordedCase, logs: readonly number[]): CaseMetrics {
  const value = (name: Name): number => Math.exp(logs[NAMES.indexOf(name)]!);
  const both = (name: Name) => ({ dense: value(name), moe: value(name) });
  const profile: CatalogEntry<"engines"> = {
    ...catalog.engines.get(PROFILE)!,
    tpreMsPerLayer: both("tpreMsPerLayer"),
    prefillMsPerToken: both("prefillMsPerToken"),
    stepMs: value("stepMs"),
    apiOverheadMs: value("apiOverheadMs"),
  };
  const changed: Catalog = { ...catalog, engines: new Map(catalog.engines).set(PROFILE, profile) };
  return predictCase(run, { catalog: changed, simulate: simulateCase, readText: () => null }).predicted;
}

/** Log of predicted over measured, by metric. */
function errorsOf(run: RecordedCase, logs: readonly number[]): Map<string, number> {
  const metrics = predicted(run, logs);
  const scored = Object.keys(METRICS).filter((name) => !run.tags.includes(STALLED) || !OF_A_STALL.includes(name));
  return new Map(
    scored.flatMap((name) => {
      const measured = run.measured[name];
      return typeof measured === "number" ? [[name, Math.log(metrics[name]! / measured)] as const] : [];
    }),
  );
}

function cost(logs: readonly number[]): number {
  const residuals = runs.filter(isFitted).flatMap((run) => {
    const widen = run.tags.includes("overload") ? OVERLOAD_SPREAD : 1;
    return [...errorsOf(run, logs)].map(([name, error]) => error / METRICS[name]! / widen);
  });
  const pulls = logs.map((log, i) => (log - Math.log(START[NAMES[i]!])) / PRIOR_SPREAD);
  return [...residuals, ...pulls].reduce((sum, r) => sum + 2 * (Math.sqrt(1 + r * r) - 1), 0);
}

let best = NAMES.map((name) => Math.log(START[name]));
let lowest = cost(best);
const ratios = NAMES.map(() => 0.35);
while (Math.max(...ratios) > 0.01) {
  for (let i = 0; i < NAMES.length; i++) {
    const tried = [ratios[i]!, -ratios[i]!].map((ratio) => best.with(i, best[i]! + ratio));
    const next = tried.find((logs) => cost(logs) < lowest - 1e-3);
    if (next === undefined) ratios[i]! *= 0.6;
    else [best, lowest] = [next, cost(next)];
  }
}

const rounded = NAMES.map((name, i) => `${name} ${Number(Math.exp(best[i]!).toPrecision(3))}`);
process.stdout.write(`${rounded.join(", ")}; cost ${lowest.toFixed(1)}\n`);
for (const run of runs) {
  const errors = [...errorsOf(run, best)].map(([name, error]) => `${name} ${(100 * Math.expm1(error)).toFixed(1)}`);
  process.stdout.write(`${isFitted(run) ? "fitted" : "unseen"} ${run.id}: ${errors.join(", ")}\n`);
}

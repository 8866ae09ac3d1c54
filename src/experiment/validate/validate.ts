/**
 * Predicts every recorded case and scores the prediction. Pure: files are read by the caller.
 *
 * Cases with the role calibration and validation are pooled apart, since coefficients were fitted on the former; cases
 * whose recording is doubtful are set aside, visible and out of the bars.
 */
import type { ResidualBandPercent } from "../../engine/coefficients.ts";
import { type Bar, bars } from "./bars.ts";
import { type ParsedCase, type RecordedCase, numbersOf } from "./case.ts";
import { loadLevel, stageLevels } from "./load-level.ts";
import type { CaseMetrics } from "./metrics.ts";
import { type OrderResult, predictedOrder } from "./order.ts";
import { type Pooled, pooled } from "./pool.ts";
import type { Prediction } from "./predict.ts";
import type { CaseResult, Comparison, ResidualBand } from "./result.ts";
import { type UnpredictedCount, nothingToScore, unpredictedCounts, unpredictedMetrics } from "./unpredicted.ts";

export interface ValidationResult {
  readonly cases: readonly CaseResult[];
  readonly pooled: Pooled;
  readonly bars: readonly Bar[];
  /** Of cases that are to be compared with each other: whether the better one was predicted to be the better. */
  readonly order: readonly OrderResult[];
  readonly notCovered: readonly RefusalCount[];
  /** Measured by cases that were predicted, and not predicted itself. */
  readonly notPredicted: readonly UnpredictedCount[];
}

/** How many cases were refused, in whole or part, for the same reason. */
export interface RefusalCount {
  readonly reason: string;
  readonly cases: number;
  /** Of a first few. */
  readonly ids: readonly string[];
}

/** Recordings that were not used in any fit, because what they measured is not what they say. */
const SET_ASIDE_TAG = "not-fitted";
/** Checkpoints with a vision tower: the catalogue describes the language model alone, so its memory is another. */
const MULTIMODAL_LLMS: readonly string[] = ["mistral-small-24b"];
/** Metrics that a tag makes unfit to be scored. */
const UNSCORED: Readonly<Record<string, (metric: string) => boolean>> = {
  "ttft-inflated-stream-interval": (metric) => /^(ttft|e2e)Ms/.test(metric),
  "suspicious-ttft-p99": (metric) => metric === "ttftMsP99",
};
const IDS_SHOWN = 3;

/** Scores the predictions of the cases, which stand in the same order; null for an element that is no case. */
export function score(parsed: readonly ParsedCase[], predictions: readonly (Prediction | null)[]): ValidationResult {
  const cases = parsed.map((one, i) =>
    one.ok ? scoreCase(one.case, predictions[i]!) : unreadable(one.id, one.reason),
  );
  return {
    cases,
    pooled: pooled(cases),
    bars: bars(cases),
    order: predictedOrder(cases),
    notCovered: refusals(cases),
    notPredicted: unpredictedCounts(cases),
  };
}

function scoreCase(recorded: RecordedCase, prediction: Prediction): CaseResult {
  const compared = compare(numbersOf(recorded.measured), prediction.predicted, recorded.tags);
  const mismatch = stageMismatch(recorded);
  const levels = stageLevels(recorded);
  const byStage = (mismatch === null && prediction.byStage.length > 0 ? (recorded.measuredByStage ?? []) : []).map(
    (measured, stage) => ({
      // A stage too short for a request has no metrics.
      ...compare(numbersOf(measured), prediction.byStage[stage] ?? {}, recorded.tags),
      loadLevel: levels[stage]!,
    }),
  );
  const scored = [compared, ...byStage].some(({ errors }) => Object.keys(errors).length > 0);
  const tpotMs = compared.measured["tpotMsMean"];
  const { classSetTpotMs } = prediction;
  return {
    id: recorded.id,
    source: recorded.source,
    licence: recorded.licence,
    role: recorded.role,
    pool: isSetAside(recorded) ? "setAside" : recorded.role,
    gpu: recorded.gpu,
    model: recorded.model,
    modelClass: prediction.modelClass,
    engine: recorded.engine,
    engineVersion: recorded.engineVersion,
    weightDtype: recorded.weightDtype,
    tp: recorded.tp,
    loadKind: recorded.load.kind,
    loadLevel: loadLevel(recorded),
    tags: recorded.tags,
    compareGroup: recorded.compareGroup ?? null,
    ...compared,
    byStage,
    classSetTpotError: classSetTpotMs === null || !(tpotMs! > 0) ? null : classSetTpotMs / tpotMs! - 1,
    band: prediction.bandPercent === null ? null : asFractions(prediction.bandPercent),
    scope: prediction.scope,
    outsideValidatedRange: prediction.outsideValidatedRange,
    caveats: prediction.caveats,
    unpredicted:
      prediction.refused === null
        ? // Stages that cannot be told apart are refused, the whole is not.
          unpredictedMetrics(
            mismatch === null ? recorded : { ...recorded, measuredByStage: [] },
            prediction.predicted,
            prediction.byStage,
          )
        : [],
    refused: prediction.refused ?? mismatch ?? (scored ? null : nothingToScore(recorded, prediction.predicted)),
  };
}

/** Why what was measured by stage cannot be told to the stages of the load; null = it can, or there is none. */
function stageMismatch({ measuredByStage, load }: RecordedCase): string | null {
  if (measuredByStage === undefined) return null;
  const stages = load.stages?.length ?? 0;
  const entries = `measuredByStage has ${counted(measuredByStage.length, "entry", "entries")}`;
  if (stages === 0) return `${entries}, and the load has no stages: one entry for each of load.stages is needed`;
  if (load.kind !== "open") return `${entries}, and only an open load runs in stages, not one of kind ${load.kind}`;
  if (load.requestsFile !== undefined)
    return `${entries}, and the requestsFile does not tell which stage sent which request`;
  if (stages === measuredByStage.length) return null;
  return `${entries}, and the load has ${counted(stages, "stage", "stages")}: one entry for each stage is needed, {} where nothing was measured`;
}

const counted = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;

/** What was measured against its prediction; where nothing was, all predictions. */
function compare(measured: CaseMetrics, all: CaseMetrics, tags: readonly string[]): Comparison {
  if (Object.keys(measured).length === 0) return { predicted: all, measured, errors: {} };
  const predicted: Record<string, number> = {};
  const errors: Record<string, number> = {};
  for (const [metric, value] of Object.entries(all)) {
    const truth = measured[metric];
    if (truth === undefined) continue;
    predicted[metric] = value;
    const unscored = tags.some((tag) => UNSCORED[tag]?.(metric) ?? false);
    if (truth > 0 && !unscored) errors[metric] = value / truth - 1;
  }
  return { predicted, measured, errors };
}

function isSetAside({ tags, load, model }: RecordedCase): boolean {
  return tags.includes(SET_ASIDE_TAG) || (load.kind === "startup" && MULTIMODAL_LLMS.includes(model));
}

function asFractions(band: ResidualBandPercent): ResidualBand {
  return { p5: band.p5 / 100, p25: band.p25 / 100, p50: band.p50 / 100, p75: band.p75 / 100, p95: band.p95 / 100 };
}

/** One entry a reason, the most frequent first: hundreds of cases may share one. */
function refusals(cases: readonly CaseResult[]): RefusalCount[] {
  const byReason = new Map<string, string[]>();
  for (const { id, refused } of cases) {
    if (refused === null) continue;
    const ids = byReason.get(refused) ?? [];
    ids.push(id);
    byReason.set(refused, ids);
  }
  return [...byReason]
    .map(([reason, ids]) => ({ reason, cases: ids.length, ids: ids.slice(0, IDS_SHOWN) }))
    .sort((a, b) => b.cases - a.cases);
}

function unreadable(id: string, reason: string): CaseResult {
  return {
    id,
    source: "",
    licence: "",
    role: null,
    pool: null,
    gpu: "",
    model: "",
    modelClass: null,
    engine: "",
    engineVersion: "",
    weightDtype: "",
    tp: null,
    loadKind: "",
    loadLevel: "unknown",
    tags: [],
    compareGroup: null,
    predicted: {},
    measured: {},
    errors: {},
    byStage: [],
    classSetTpotError: null,
    band: null,
    scope: null,
    outsideValidatedRange: null,
    caveats: [],
    unpredicted: [],
    refused: reason,
  };
}

/**
 * Predicts every recorded case and scores the prediction. Pure: files are read by the caller.
 *
 * Cases with the role calibration and validation are pooled apart, since coefficients were fitted on the former; cases
 * whose recording is doubtful are set aside, visible and out of the bars.
 */
import type { ResidualBandPercent } from "../../engine/coefficients.ts";
import { type ParsedCase, type RecordedCase, measuredNumbers } from "./case.ts";
import { type Bar, type Pooled, bars, pooled } from "./pool.ts";
import { type Prediction, type PredictionTools, predictCase } from "./predict.ts";
import type { CaseResult, ResidualBand } from "./result.ts";

export interface ValidationResult {
  readonly cases: readonly CaseResult[];
  readonly pooled: Pooled;
  readonly bars: readonly Bar[];
}

/** One case file: its cases, and how to read what they refer to. */
export interface CaseFile {
  readonly cases: readonly ParsedCase[];
  readonly readText: PredictionTools["readText"];
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

export function validateCases(files: readonly CaseFile[], tools: Omit<PredictionTools, "readText">): ValidationResult {
  const cases = files.flatMap(({ cases: parsed, readText }) =>
    parsed.map((one) => {
      if (one.ok) return scoreCase(one.case, predictCase(one.case, { ...tools, readText }));
      return unreadable(one.id, one.reason);
    }),
  );
  return { cases, pooled: pooled(cases), bars: bars(cases) };
}

function scoreCase(recorded: RecordedCase, prediction: Prediction): CaseResult {
  const measured = measuredNumbers(recorded);
  const predicted: Record<string, number> = {};
  const errors: Record<string, number> = {};
  for (const [metric, value] of Object.entries(prediction.predicted)) {
    const truth = measured[metric];
    if (truth === undefined) continue;
    predicted[metric] = value;
    const unscored = recorded.tags.some((tag) => UNSCORED[tag]?.(metric) ?? false);
    if (truth > 0 && !unscored) errors[metric] = value / truth - 1;
  }
  return {
    id: recorded.id,
    source: recorded.source,
    licence: recorded.licence,
    role: recorded.role,
    gpu: recorded.gpu,
    model: recorded.model,
    engine: recorded.engine,
    tags: recorded.tags,
    pool: isSetAside(recorded) ? "setAside" : recorded.role,
    predicted,
    measured,
    errors,
    band: prediction.bandPercent === null ? null : asFractions(prediction.bandPercent),
    scope: prediction.scope,
    outsideValidatedRange: prediction.outsideValidatedRange,
    refused: prediction.refused,
  };
}

function isSetAside({ tags, load, model }: RecordedCase): boolean {
  return tags.includes(SET_ASIDE_TAG) || (load.kind === "startup" && MULTIMODAL_LLMS.includes(model));
}

function asFractions(band: ResidualBandPercent): ResidualBand {
  return { p5: band.p5 / 100, p25: band.p25 / 100, p50: band.p50 / 100, p75: band.p75 / 100, p95: band.p95 / 100 };
}

function unreadable(id: string, reason: string): CaseResult {
  return {
    id,
    source: "",
    licence: "",
    role: null,
    gpu: "",
    model: "",
    engine: "",
    tags: [],
    pool: null,
    predicted: {},
    measured: {},
    errors: {},
    band: null,
    scope: null,
    outsideValidatedRange: null,
    refused: reason,
  };
}

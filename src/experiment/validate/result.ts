/** What the validation of one case comes to. Errors and bands are signed fractions: predicted ÷ measured − 1. */
import type { LlmClass, ResidualBandPercent } from "../../engine/coefficients.ts";
import type { LoadLevel } from "./load-level.ts";
import type { CaseMetrics } from "./metrics.ts";

/** The groups that are never mixed. `setAside`: cases whose recording is doubtful, by their tags. */
export type PoolName = "validation" | "calibration" | "setAside";

/** Quantiles of the signed TPOT error to expect, fractions. */
export type ResidualBand = ResidualBandPercent;

/** One comparison: the recorded numbers, those of them that were predicted, and how far off. */
export interface Comparison {
  /** Only metrics that were recorded. */
  readonly predicted: CaseMetrics;
  readonly measured: CaseMetrics;
  /** Of the metrics that are fit to be scored. */
  readonly errors: CaseMetrics;
}

/** One stage of a load. */
export interface StageComparison extends Comparison {
  readonly loadLevel: LoadLevel;
}

export interface CaseResult extends Comparison {
  readonly id: string;
  readonly source: string;
  readonly licence: string;
  /** Null where the case could not be read. */
  readonly role: "calibration" | "validation" | null;
  readonly pool: PoolName | null;
  readonly gpu: string;
  readonly model: string;
  readonly modelClass: LlmClass | null;
  readonly engine: string;
  readonly engineVersion: string;
  readonly weightDtype: string;
  /** GPUs of one tensor-parallel group; null where the case could not be read. */
  readonly tp: number | null;
  readonly loadKind: string;
  readonly loadLevel: LoadLevel;
  readonly tags: readonly string[];
  readonly compareGroup: string | null;
  /** By stage of the load, where it was recorded so. */
  readonly byStage: readonly StageComparison[];
  /** Error of mean TPOT with the global coefficient set of the model class; null where the case tells nothing of it. */
  readonly classSetTpotError: number | null;
  /** Null where no coefficients were needed. */
  readonly band: ResidualBand | null;
  readonly scope: string | null;
  readonly outsideValidatedRange: string | null;
  readonly caveats: readonly string[];
  /** Names of what was measured and is not predicted, of a case that was scored at least in part. */
  readonly unpredicted: readonly string[];
  /** Why the case, or what is missing of it, was not predicted. */
  readonly refused: string | null;
}

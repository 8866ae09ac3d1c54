/** What the validation of one case comes to. Errors and bands are signed fractions: predicted ÷ measured − 1. */
import type { ResidualBandPercent } from "../../engine/coefficients.ts";

/** The groups that are never mixed. `setAside`: cases whose recording is doubtful, by their tags. */
export type PoolName = "validation" | "calibration" | "setAside";

/** Quantiles of the signed TPOT error to expect, fractions. */
export type ResidualBand = ResidualBandPercent;

export interface CaseResult {
  readonly id: string;
  readonly source: string;
  readonly licence: string;
  /** Null where the case could not be read. */
  readonly role: "calibration" | "validation" | null;
  readonly pool: PoolName | null;
  readonly gpu: string;
  readonly model: string;
  readonly engine: string;
  readonly tags: readonly string[];
  /** Only metrics that were recorded. */
  readonly predicted: Readonly<Record<string, number>>;
  readonly measured: Readonly<Record<string, number>>;
  /** Of the metrics that are fit to be scored. */
  readonly errors: Readonly<Record<string, number>>;
  /** Null where no coefficients were needed. */
  readonly band: ResidualBand | null;
  readonly scope: string | null;
  readonly outsideValidatedRange: string | null;
  /** Why the case, or what is missing of it, was not predicted. */
  readonly refused: string | null;
}

/**
 * The intensity of a log-Gaussian Cox process on a grid: deterministic rate × exp(Σ xᵢ − σᵢ²/2), xᵢ stationary
 * Ornstein–Uhlenbeck paths, so that the burst factor has mean 1. Constant within a cell. Seconds, requests per second.
 */
import type { SyntheticTraffic } from "../scenario/resolved.ts";
import { InvariantError } from "../kernel/errors.ts";
import { exp, log } from "../kernel/math.ts";
import type { Draw } from "../kernel/random.ts";
import { normal } from "../kernel/samplers.ts";
import { rateAt, type RateCurve } from "./rate.ts";

/** Longest cell: the season and the growth are flat within it to 0.1 %. */
const MAX_CELL_S = 60;
/** A component's path is resolved by at least this many cells per correlation time. */
const CELLS_PER_TAU = 10;

/** A cursor over spans of constant rate. The fields describe the current one. */
export interface Intensity {
  ratePerS: number;
  cellStartS: number;
  cellEndS: number;
  /** Length of the current span. */
  cellS: number;
  /** Moves to the next. */
  next(): void;
}

/** A cursor over the cells of one path, from `fromS` on. */
export class IntensityPath implements Intensity {
  ratePerS = 0;
  cellStartS: number;
  cellEndS: number;
  /** Length of every cell. */
  readonly cellS: number;
  private cell = 0;
  private readonly fromS: number;
  private readonly offsetS: number;
  private readonly curve: RateCurve;
  private readonly draw: Draw;
  private readonly level: Float64Array;
  private readonly persistence: Float64Array;
  private readonly innovation: Float64Array;
  private readonly lnMeanCorrection: number;

  /** `offsetS` is added to a path time to give the time on the curve. One normal per component and cell from `draw`. */
  constructor(
    curve: RateCurve,
    components: SyntheticTraffic["burst"]["components"],
    fromS: number,
    offsetS: number,
    draw: Draw,
  ) {
    const count = components.length;
    this.curve = curve;
    this.draw = draw;
    this.fromS = fromS;
    this.offsetS = offsetS;
    this.level = new Float64Array(count);
    this.persistence = new Float64Array(count);
    this.innovation = new Float64Array(count);
    let cellS = MAX_CELL_S;
    for (const { cv, tauS } of components) {
      if (!(cv >= 0 && tauS > 0)) throw new InvariantError("a burst component has cv ≥ 0 and tauS > 0", { cv, tauS });
      cellS = Math.min(cellS, tauS / CELLS_PER_TAU);
    }
    this.cellS = cellS;
    let variance = 0;
    for (let i = 0; i < count; i++) {
      const { cv, tauS } = components[i]!;
      // A lognormal factor with coefficient of variation cv has this variance of its logarithm.
      const lnVariance = log(1 + cv * cv);
      variance += lnVariance;
      const phi = exp(-cellS / tauS);
      this.persistence[i] = phi;
      this.innovation[i] = Math.sqrt((1 - phi * phi) * lnVariance);
      this.level[i] = Math.sqrt(lnVariance) * normal(draw);
    }
    this.lnMeanCorrection = -0.5 * variance;
    this.cellStartS = fromS;
    this.cellEndS = fromS + cellS;
    this.setRate();
  }

  /** Moves to the next cell. */
  next(): void {
    const level = this.level;
    for (let i = 0; i < level.length; i++) {
      level[i] = this.persistence[i]! * level[i]! + this.innovation[i]! * normal(this.draw);
    }
    this.cell++;
    this.cellStartS = this.cellEndS;
    // From the count of cells, so that no rounding accumulates over months.
    this.cellEndS = this.fromS + (this.cell + 1) * this.cellS;
    this.setRate();
  }

  private setRate(): void {
    const level = this.level;
    const middleS = 0.5 * (this.cellStartS + this.cellEndS) + this.offsetS;
    let exponent = this.lnMeanCorrection;
    for (let i = 0; i < level.length; i++) exponent += level[i]!;
    this.ratePerS = rateAt(this.curve, middleS) * (level.length === 0 ? 1 : exp(exponent));
  }
}

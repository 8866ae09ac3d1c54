/**
 * Traffic from a recording: arrival times (seconds) and lengths (tokens) exactly as recorded, classes by share where the
 * recording does not name them. TRF-1 and TRF-2 of `stream-cursor.ts` hold here too, but for requests that wait for others, which are
 * those of `replay-waits.ts`.
 */
import { type KnownText, NO_CLASS, type ReplayTraffic } from "../scenario/resolved.ts";
import { DataError } from "../kernel/errors.ts";
import type { Draw } from "../kernel/random.ts";
import { cumulativeShares, discrete } from "../kernel/samplers.ts";
import { askedTokens } from "./lengths.ts";
import { trafficStream, type OpenTrafficOptions } from "./options.ts";
import { countBefore } from "./rate.ts";
import { recordedText } from "./recorded-text.ts";
import { checkWaits, WaitingReplayCursor } from "./replay-waits.ts";
import type { Traffic } from "./traffic.ts";

/**
 * Opens the recording; the cursor stands at its first arrival in [−warmupS, horizonS). Throws DataError on columns of
 * unequal length, times that fall or are no numbers, and lengths of zero (unknown or failed: the reader's to settle).
 */
export function replayTraffic(spec: ReplayTraffic, options: OpenTrafficOptions): Traffic {
  const { arrivalS, inputTokens, outputTokens, file } = spec;
  if (inputTokens.length !== arrivalS.length || outputTokens.length !== arrivalS.length) {
    throw new DataError(
      file,
      null,
      `${arrivalS.length} times, ${inputTokens.length} input and ${outputTokens.length} output lengths`,
    );
  }
  for (let row = 0, beforeS = -Infinity; row < arrivalS.length; row++) {
    if (!(arrivalS[row]! >= beforeS && arrivalS[row]! < Infinity))
      throw new DataError(file, row + 1, `arrival at ${arrivalS[row]} s after one at ${beforeS} s`);
    if (inputTokens[row] === 0 || outputTokens[row] === 0)
      throw new DataError(file, row + 1, "a length of zero tokens");
    beforeS = arrivalS[row]!;
  }
  if (spec.prefix !== undefined && spec.prefix.offsets.length !== arrivalS.length + 1)
    throw new DataError(file, null, `block ids of ${spec.prefix.offsets.length - 1} of ${arrivalS.length} requests`);
  if (spec.waits === undefined) return new ReplayCursor(spec, options);
  checkWaits(spec, spec.waits);
  return new WaitingReplayCursor(spec, spec.waits, options);
}

class ReplayCursor implements Traffic {
  timeS = -Infinity;
  inputTokens = 0;
  outputTokens = 0;
  maxOutputTokens = 0;
  reasoningTokens = 0;
  classIndex = 0;
  request = -1;
  readonly known?: KnownText;

  private readonly spec: ReplayTraffic;
  private readonly offsetS: number;
  private readonly endRow: number;
  private readonly shares: Float64Array;
  private readonly classDraw: Draw;
  private row: number;

  constructor(spec: ReplayTraffic, options: OpenTrafficOptions) {
    this.spec = spec;
    this.offsetS = options.offsetS ?? 0;
    this.row = countBefore(spec, this.offsetS - options.warmupS) - 1;
    this.endRow = countBefore(spec, this.offsetS + options.horizonS);
    this.shares = cumulativeShares(options.classShares);
    this.classDraw = trafficStream(options, "classes");
    const known = recordedText(spec, this.row + 1);
    if (known !== undefined) this.known = known;
    this.advance();
  }

  advance(): void {
    const row = this.row + 1;
    if (row >= this.endRow) {
      this.timeS = Infinity;
      return;
    }
    const spec = this.spec;
    this.row = row;
    this.request++;
    this.timeS = spec.arrivalS[row]! - this.offsetS;
    this.inputTokens = spec.inputTokens[row]!;
    this.outputTokens = spec.outputTokens[row]!;
    this.maxOutputTokens = askedTokens(spec, row);
    if (spec.reasoningTokens !== undefined) this.reasoningTokens = spec.reasoningTokens[row]!;
    if (this.shares.length === 1) return;
    const recorded = spec.classIndex?.[row] ?? NO_CLASS;
    this.classIndex = recorded === NO_CLASS ? discrete(this.shares, this.classDraw()) : recorded;
  }

  /** Open traffic does not listen. */
  onComplete(): void {}
}

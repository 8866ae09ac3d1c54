/**
 * Batch: a job is handed in, and its answers are fetched whole when it is done. How long that takes is one lognormal draw of
 * (request, attempt); what is not done within the window expires. A simulated request is a job of its own. Times in seconds.
 */
import type { BatchForm } from "../../scenario/forms.ts";
import { exp, normalQuantile } from "../../kernel/math.ts";
import { threefry2x32, unit, words } from "../../kernel/random.ts";

/** Second key word of the draws here; those of failures, latency and capacity use others. */
const BATCH_KEY = 3;

export class BatchTimes {
  /** Results of the last `draw`, as an `Offer` has them: an expired job has no last token before `finishS`. */
  firstTokenS = 0;
  finishS = 0;
  tokenGapS = 0;
  private readonly form: BatchForm;
  private readonly key: number;

  constructor(form: BatchForm, key: number) {
    this.form = form;
    this.key = key;
  }

  /** When the job handed in at `timeS` ends. */
  draw(timeS: number, request: number, attempt: number, outputTokens: number): void {
    const { windowS, completion, expiredBills } = this.form;
    threefry2x32(this.key, BATCH_KEY, request, attempt);
    const neededS = completion.medianS * exp(completion.sigma * normalQuantile(unit(words[0]!)));
    if (neededS < windowS) {
      this.firstTokenS = this.finishS = timeS + neededS;
      this.tokenGapS = 0;
      return;
    }
    this.finishS = timeS + windowS;
    // The part that was done by then is what a stream would have sent that takes as long as the job needs.
    this.firstTokenS = expiredBills === "completed" ? timeS : Infinity;
    this.tokenGapS = neededS / outputTokens;
  }

  /** Did the job handed in at `timeS` that ended at `finishS` expire? */
  expired(timeS: number, finishS: number): boolean {
    return finishS - timeS >= this.form.windowS - 1e-6;
  }
}

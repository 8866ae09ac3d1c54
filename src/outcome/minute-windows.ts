/**
 * Attainment by time: the share of one-minute windows in which enough requests met their targets. A window with fewer than
 * 20 requests is merged with the next ones. Requests belong to the minute of their first send.
 */
const FEWEST_REQUESTS = 20;

export class MinuteWindows {
  windows = 0;
  good = 0;
  private readonly targetFraction: number;
  private requests = 0;
  private met = 0;

  constructor(targetFraction: number) {
    this.targetFraction = targetFraction;
  }

  /** The next minute: how many of its requests ended, and how many of these met; `last` closes a window of any size. */
  add(ended: number, met: number, last: boolean): void {
    this.requests += ended;
    this.met += met;
    if (this.requests < FEWEST_REQUESTS && !(last && this.requests > 0)) return;
    this.windows++;
    // Nearest rank; requests without an answer are misses.
    if (this.met >= Math.ceil(this.targetFraction * this.requests - 1e-9)) this.good++;
    this.requests = this.met = 0;
  }
}

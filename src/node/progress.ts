/**
 * A progress bar on stderr with the time left. Silent for the first two seconds, when stderr is no terminal, under
 * --json and in CI, so that logs hold no control characters. Times in milliseconds of wall clock: this is talk, never data.
 */
const QUIET_MS = 2000;
const REDRAW_MS = 100;
/** Where nothing tells how far it is, the time that has passed shows that it goes on. */
const TICK_MS = 1000;
const BAR_WIDTH = 24;

interface ProgressOptions {
  /** Off under --json. */
  readonly enabled?: boolean;
  readonly stream?: { readonly isTTY?: boolean; readonly columns?: number; write(text: string): unknown };
  readonly now?: () => number;
  readonly ci?: boolean;
}

export class Progress {
  private readonly label: string;
  private readonly total: number | null;
  private readonly stream: NonNullable<ProgressOptions["stream"]>;
  private readonly now: () => number;
  private readonly enabled: boolean;
  private readonly startMs: number;
  private lastDrawMs = -Infinity;
  private done = 0;
  private text = "";
  private drawn = false;
  private readonly tick: ReturnType<typeof setInterval> | null;

  /** `total` units of work; null: how many is not known, and the line has no bar. */
  constructor(label: string, total: number | null, options: ProgressOptions = {}) {
    this.label = label;
    this.total = total;
    this.stream = options.stream ?? process.stderr;
    this.now = options.now ?? (() => performance.now());
    const ci =
      options.ci ?? (process.env["CI"] !== undefined && process.env["CI"] !== "" && process.env["CI"] !== "false");
    this.enabled = (options.enabled ?? true) && this.stream.isTTY === true && !ci;
    this.startMs = this.now();
    this.tick = this.enabled && total === null ? setInterval(() => this.draw(), TICK_MS).unref() : null;
  }

  /** `done` of `total` units are finished. Cheap to call often: redraws at most ten times a second. */
  update(done: number): void {
    this.done = done;
    this.draw();
  }

  /** A short text after the bar, for example the strategy that is running. */
  note(text: string): void {
    this.text = text;
    this.draw();
  }

  /** Wipes the bar, so that what is printed next starts on a clean line. */
  stop(): void {
    if (this.tick !== null) clearInterval(this.tick);
    if (this.drawn) this.stream.write("\r\u001b[2K");
    this.drawn = false;
  }

  private draw(): void {
    if (!this.enabled) return;
    const nowMs = this.now();
    if (nowMs - this.startMs < QUIET_MS || nowMs - this.lastDrawMs < REDRAW_MS) return;
    this.lastDrawMs = nowMs;
    this.drawn = true;
    const elapsedS = (nowMs - this.startMs) / 1000;
    const line =
      this.total === null
        ? `${this.label}  ${duration(elapsedS)} so far  ${this.text}`
        : progressLine(this.label, this.done, this.total, elapsedS, this.text);
    // A terminal of unknown size says 0 or nothing.
    const columns = this.stream.columns ?? 0;
    this.stream.write(`\r\u001b[2K${line.slice(0, Math.max(20, (columns > 0 ? columns : 100) - 1))}`);
  }
}

/** `runs [######------]  25 %  1m 30s left  api-first`; the time left assumes that the rest goes as fast as what is done. */
export function progressLine(label: string, done: number, total: number, elapsedS: number, note: string): string {
  const share = total > 0 ? Math.min(1, Math.max(0, done / total)) : 0;
  const filled = Math.round(share * BAR_WIDTH);
  const left = share > 0 ? `${duration((elapsedS * (1 - share)) / share)} left` : "estimating";
  const bar = "#".repeat(filled) + "-".repeat(BAR_WIDTH - filled);
  return `${label} [${bar}] ${String(Math.floor(share * 100)).padStart(3)} %  ${left}${note === "" ? "" : `  ${note}`}`;
}

/** 45s, 3m 20s, 2h 5m */
export function duration(seconds: number): string {
  const s = Math.ceil(seconds);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${s % 60}s`;
  return `${Math.floor(s / 3600)}h ${Math.floor((s % 3600) / 60)}m`;
}

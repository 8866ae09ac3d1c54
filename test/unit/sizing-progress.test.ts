/** What is told while fleets are sized: an estimate of the time left only where there is something to base it on. */
import { expect, test } from "vitest";
import { Progress } from "../../src/node/progress.ts";
import { SizingProgress } from "../../src/node/sizing-progress.ts";

test("the size that is tried, and the time left at most once bounds are known", () => {
  let nowS = 0;
  const sizing = new SizingProgress(() => nowS);
  const tries = (replicas: number, scale: number, left: number | null, name = "own"): string =>
    sizing.tries(name, { replicas: [replicas], scale, left });
  expect(tries(9, 64, 3)).toBe("own: are about 576 replicas enough?");
  nowS = 5;
  expect(tries(640, 1, null)).toBe("own: are 640 replicas enough?");
  nowS = 65;
  // Three to go, of a minute each.
  expect(tries(632, 1, 2)).toBe("at most 3m 0s left  own: are 632 replicas enough?");
  nowS = 75;
  expect(tries(636, 1, 1)).toBe("at most 2m 0s left  own: are 636 replicas enough?");
  // Another strategy is still searching.
  expect(tries(1, 1, null, "both")).toBe("both: are 1 replicas enough?");
  sizing.done("both");
  nowS = 80;
  expect(tries(634, 1, 0)).toBe("at most 1m 0s left  own: are 634 replicas enough?");
});

test("two pools show their sizes as they are tried", () => {
  const sizing = new SizingProgress(() => 0);
  expect(sizing.tries("split", { replicas: [3, 11], scale: 1, left: null })).toBe("split: are 3 + 11 replicas enough?");
});

test("the line of work of unknown amount has no bar", () => {
  const written: string[] = [];
  let nowMs = 0;
  const stream = { isTTY: true, columns: 80, write: (text: string) => written.push(text) };
  const progress = new Progress("sizing", null, { stream, now: () => nowMs, ci: false });
  nowMs = 65_000;
  progress.note("own: are 4 replicas enough?");
  progress.stop();
  expect(written).toEqual(["\r\u001b[2Ksizing  1m 5s so far  own: are 4 replicas enough?", "\r\u001b[2K"]);
});

import { describe, expect, test } from "vitest";
import { Progress, progressLine } from "../../src/node/progress.ts";

function terminal(isTTY = true) {
  const written: string[] = [];
  return { written, stream: { isTTY, columns: 80, write: (text: string) => written.push(text) } };
}

describe("progress bar", () => {
  test("nothing is drawn in the first two seconds, then at most ten times a second", () => {
    const { written, stream } = terminal();
    let nowMs = 0;
    const progress = new Progress("runs", 100, { stream, now: () => nowMs, ci: false });
    for (nowMs = 0; nowMs < 2000; nowMs += 10) progress.update(nowMs / 100);
    expect(written).toEqual([]);
    for (nowMs = 2000; nowMs < 3000; nowMs += 10) progress.update(nowMs / 100);
    expect(written.length).toBe(10);
    progress.stop();
    expect(written.at(-1)).toBe("\r\u001b[2K");
  });

  test.each([
    ["stderr is no terminal", { tty: false, enabled: true, ci: false }],
    ["--json", { tty: true, enabled: false, ci: false }],
    ["CI", { tty: true, enabled: true, ci: true }],
  ])("silent: %s", (_, { tty, enabled, ci }) => {
    const { written, stream } = terminal(tty);
    let nowMs = 0;
    const progress = new Progress("runs", 10, { stream, now: () => nowMs, enabled, ci });
    nowMs = 60_000;
    progress.update(5);
    progress.note("x");
    progress.stop();
    expect(written).toEqual([]);
  });

  test("the time left follows from what is done", () => {
    expect(progressLine("runs", 1, 4, 30, "api-first")).toBe(
      "runs [######------------------]  25 %  1m 30s left  api-first",
    );
    expect(progressLine("runs", 0, 4, 3, "")).toContain("estimating");
    expect(progressLine("runs", 4, 4, 30, "")).toContain("100 %  0s left");
    expect(progressLine("runs", 1, 1000, 30, "")).toContain("8h 19m left");
  });

  test("more done than there is stays at 100 %", () => {
    expect(progressLine("runs", 9, 4, 30, "")).toContain("100 %");
  });
});

/** uSlo: what a pool served of what it could have served within the SLO, and when that cannot be said. */
import { expect, test } from "vitest";
import { usedWithinSlo } from "../../src/experiment/summarise.ts";

const hours = { busyH: 1, idleH: 0.5, warmH: 0.25, downH: 0.25 };

test("requests at the rate of their class, as a share of the hours paid for", () => {
  // 3,600 at 1 a second and 1,800 at 2 a second are 4,500 s of 7,200 s.
  expect(usedWithinSlo({ ...hours, completedByClass: [3600, 1800] }, [1, 2])).toBe(0.625);
});

test("a class that misses its target at any load leaves no share to name, unless none of it was served", () => {
  expect(usedWithinSlo({ ...hours, completedByClass: [3600, 1] }, [1, null])).toBeNaN();
  expect(usedWithinSlo({ ...hours, completedByClass: [3600, 0] }, [1, null])).toBe(0.5);
});

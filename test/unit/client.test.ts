import { expect, test } from "vitest";
import { GIVES_UP, retryDelayS } from "../../src/dispatch/client.ts";
import type { ClientProfile } from "../../src/scenario/resolved.ts";

const node: ClientProfile = {
  name: "openai-node",
  maxRetries: 2,
  backoffInitialS: 0.5,
  backoffFactor: 2,
  backoffMaxS: 8,
  jitterFraction: 0.25,
  honorRetryAfter: true,
  maxRetryAfterS: null,
};
const python: ClientProfile = { ...node, name: "openai-python", maxRetryAfterS: 120 };

test("gives up after the last retry, whatever the header says", () => {
  expect(retryDelayS(node, 0, Infinity, 0)).toBe(0.5);
  expect(retryDelayS(node, 1, Infinity, 0)).toBe(1);
  expect(retryDelayS(node, 2, Infinity, 0)).toBe(GIVES_UP);
  expect(retryDelayS(node, 2, 1, 0)).toBe(GIVES_UP);
});

test("jitter only shortens, by a quarter at most", () => {
  expect(retryDelayS(node, 1, Infinity, 0.5)).toBe(0.875);
  expect(retryDelayS(node, 1, Infinity, 1 - 2 ** -32)).toBeGreaterThan(0.75);
});

test("Retry-After replaces the back-off unjittered and without bound", () => {
  expect(retryDelayS(node, 0, 90, 0.7)).toBe(90);
  expect(retryDelayS(node, 0, 43_200, 0.7)).toBe(43_200); // an exhausted daily quota parks the caller
  expect(retryDelayS({ ...node, honorRetryAfter: false }, 0, 90, 0)).toBe(0.5);
  expect(retryDelayS(node, 0, 0, 0)).toBe(0.5);
});

test("a profile with a bound obeys up to it and retries no more beyond", () => {
  expect(retryDelayS(python, 0, 120, 0.7)).toBe(120);
  expect(retryDelayS(python, 0, 121, 0.7)).toBe(GIVES_UP);
});

test("back-off is capped", () => {
  const patient = { ...node, maxRetries: 100 };
  expect(retryDelayS(patient, 4, Infinity, 0)).toBe(8);
  expect(retryDelayS(patient, 99, Infinity, 0)).toBe(8);
});

/**
 * The arrivals are as bursty as the theory of their process says and as the recorded trace is, at every scale that
 * queues and autoscalers see. A cheap version; `test/statistics/traffic-bursts.test.ts` holds the narrow bands.
 */
import { describe, expect, test } from "vitest";
import {
  AZURE_CONV_IDC,
  burstTable,
  CHAT_ARRIVALS,
  coxIdc,
  meanIdc,
  smallCoxIdc,
  WINDOWS_S,
} from "../fixtures/traffic-reference.ts";

const { meanRatePerS, burst } = CHAT_ARRIVALS;
/** In the transformed clock a Gamma renewal process adds CV² − 1 to the dispersion once windows hold many gaps. */
const THEORY = WINDOWS_S.map((windowS) => coxIdc(meanRatePerS, burst.components, windowS) + burst.gapCv ** 2 - 1);
const relativeErrors = (found: readonly number[], expected: readonly number[]): number[] =>
  found.map((value, i) => value / expected[i]! - 1);
const worst = (errors: readonly number[]): number => Math.max(...errors.map(Math.abs));

describe("dispersion of the counts of chat arrivals", () => {
  // 20 × 5 h: the mean of the 120 s dispersion has a standard error of 5 %, that of 1 s one of 1 %.
  const generated = meanIdc(CHAT_ARRIVALS, 5, 20);
  const renewal = meanIdc({ ...CHAT_ARRIVALS, burst: { components: [], gapCv: 1.09 } }, 5, 2);

  test("is that of the recorded trace within 20 % at 1 s to 120 s", () => {
    console.log(
      burstTable({
        "recorded, Azure 2023 conversation": AZURE_CONV_IDC,
        "theory of the generator": THEORY,
        "generated, 20 seeds of 5 h": generated,
        "renewal arrivals of the same gap CV": renewal,
      }),
    );
    expect(worst(relativeErrors(generated, AZURE_CONV_IDC))).toBeLessThan(0.2);
  });

  test("is that of the theory", () => {
    const errors = relativeErrors(generated, THEORY);
    expect(worst(errors.slice(0, 3))).toBeLessThan(0.05);
    expect(worst(errors)).toBeLessThan(0.15);
  });

  test("power: arrivals with the recorded gap CV but no changing intensity fail both", () => {
    const far = relativeErrors(renewal, AZURE_CONV_IDC).filter((error) => Math.abs(error) > 0.2);
    expect(far.length).toBeGreaterThanOrEqual(5);
    expect(worst(relativeErrors(renewal, THEORY))).toBeGreaterThan(0.9);
  });
});

describe("a two-state modulated Poisson process (code completion)", () => {
  // Rates of 0.30 and 15.39 requests/s, switching at 0.0191 and 0.1083 per second.
  const highShare = 0.0191 / (0.0191 + 0.1083);
  const mean = 0.3 + highShare * (15.39 - 0.3);
  const switching = { highFactor: 15.39 / mean, highS: 1 / 0.1083, lowS: 1 / 0.0191 };
  const spec = { ...CHAT_ARRIVALS, meanRatePerS: mean, burst: { components: [], gapCv: 1, switching } };
  const theory = [11.9, 21.8, 47.3, 78.3, 133, 156, 167];
  const generated = meanIdc(spec, 20, 12);

  test("has the dispersion of its theory", () => {
    console.log(burstTable({ "theory, two states": theory, "generated, 12 seeds of 20 h": generated }));
    expect(worst(relativeErrors(generated, theory))).toBeLessThan(0.1);
    const cv = Math.sqrt(highShare * (1 - highShare)) * ((15.39 - 0.3) / mean);
    const exact = WINDOWS_S.map((windowS) => smallCoxIdc(mean, [{ cv, tauS: 1 / 0.1274 }], windowS));
    expect(worst(relativeErrors(theory, exact))).toBeLessThan(0.01);
  });

  test("four independent copies of it have the same dispersion, one copy at four times the rate four times as much", () => {
    const clients = { count: 4, rateSigma: 0, intermittent: null };
    const copies = meanIdc({ ...spec, meanRatePerS: 4 * mean, burst: { ...spec.burst, clients } }, 10, 6);
    expect(worst(relativeErrors(copies, theory))).toBeLessThan(0.15);
    const shared = meanIdc({ ...spec, meanRatePerS: 4 * mean }, 10, 4);
    expect(shared[3]! / theory[3]!).toBeGreaterThan(3.4);
  });
});

test("clients with Gamma gaps have the rate-weighted square of their CV once windows hold many gaps", () => {
  const clients = { count: 5, rateSigma: 1, intermittent: null };
  const burst = { components: [], gapCv: 2, clients };
  const found = meanIdc({ ...CHAT_ARRIVALS, meanRatePerS: 20, burst }, 5, 4);
  expect(Math.abs(found[WINDOWS_S.indexOf(60)]! / 4 - 1)).toBeLessThan(0.1);
});

describe("worked examples of the theory", () => {
  const components = [{ cv: 0.23, tauS: 174 }];

  test("log-Gaussian Cox, 5.53 requests/s, c 0.23, tau 174 s", () => {
    expect(Math.log1p(0.23 ** 2)).toBeCloseTo(0.05155, 5);
    expect(coxIdc(5.53, components, 60)).toBeCloseTo(16.66, 2);
    expect(smallCoxIdc(5.53, components, 60)).toBeCloseTo(16.7, 2);
  });

  test("thinning to a quarter", () => {
    expect(1 + 0.25 * (coxIdc(5.53, components, 60) - 1)).toBeCloseTo(4.91, 2);
  });

  test("two-state modulated Poisson", () => {
    expect(smallCoxIdc(2.562316, [{ cv: Math.sqrt(4.420142), tauS: 7.849294 }], 10)).toBeCloseTo(78.28, 2);
  });

  test.each([
    { gapCv: 2, idc: 3.95 },
    { gapCv: 0.5, idc: 0.25 },
  ])("Gamma gaps of CV $gapCv at 5 requests/s: dispersion $idc at 60 s", ({ gapCv, idc }) => {
    const found = meanIdc({ ...CHAT_ARRIVALS, meanRatePerS: 5, burst: { components: [], gapCv } }, 10, 4);
    expect(Math.abs(found[WINDOWS_S.indexOf(60)]! / idc - 1)).toBeLessThan(0.1);
  });
});

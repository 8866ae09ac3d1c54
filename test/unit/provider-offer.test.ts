import { describe, expect, test } from "vitest";
import type { LimitSpec, ResolvedOffer } from "../../src/scenario/resolved.ts";
import { stream } from "../../src/kernel/random.ts";
import type { PromptContent } from "../../src/engine/prompt-content.ts";
import { NO_CHARGE } from "../../src/scenario/limits.ts";
import { InvariantError } from "../../src/kernel/errors.ts";
import { Congestion } from "../../src/provider/congestion.ts";
import {
  ADMITTED,
  Offer,
  OUTAGE,
  OVERLOADED,
  OVERSIZE,
  producedTokens,
  RATE_LIMITED,
} from "../../src/provider/offer.ts";
import {
  CONGESTION,
  CONTEXT,
  levelAt,
  MONDAY_EPOCH_S,
  OFFER,
  OPENAI_OUTAGES,
  rpm,
  tpm,
} from "../fixtures/provider-offer.ts";

const offerWith = (changes: Partial<ResolvedOffer>, replication = 0): Offer =>
  new Offer({ ...OFFER, ...changes }, { ...CONTEXT, replication });

/** One severity that holds almost always: gaps of minutes, durations of hours. */
const permanentOutage = (errorFraction: number, latencyFactor = 1): NonNullable<ResolvedOffer["outages"]> => ({
  ...OPENAI_OUTAGES,
  gapWeibullScaleH: 0.1,
  durationLnHMean: 3,
  hazard: { businessHours: 1, otherWeekday: 1, weekend: 1 },
  severities: [{ name: "only", weight: 1, errorFraction, latencyFactor }],
});

/** Sends `n` requests evenly over `spanS` from t = 0, settling each at once, and returns the mean latencies of the admitted. */
function send(offer: Offer, n: number, spanS: number, inputTokens = 1000, outputTokens = 200) {
  let ttftS = 0;
  let gapS = 0;
  for (let i = 0; i < n; i++) {
    const timeS = (i / n) * spanS;
    if (offer.attempt(timeS, i, 0, inputTokens, outputTokens, 1024) === ADMITTED) {
      ttftS += offer.firstTokenS - timeS;
      gapS += offer.tokenGapS;
      offer.finish(timeS, timeS, inputTokens, 0, 1024, outputTokens);
    }
  }
  expect(offer.attempts).toBe(
    offer.admitted + offer.rateLimited + offer.overloaded + offer.outageFailures + offer.oversize,
  );
  return { ttftS: ttftS / offer.admitted, gapS: gapS / offer.admitted };
}

describe("one attempt", () => {
  test("admitted: tokens come after the network and the first token, evenly", () => {
    const offer = offerWith({ latency: { ...OFFER.latency, ttftSigma: 0, tailProbability: 0, rateSigma: 0 } });
    expect(offer.attempt(10, 0, 0, 1000, 56, 1024)).toBe(ADMITTED);
    expect(offer.firstTokenS).toBeCloseTo(10 + 1.2 + 0.04 + 0.05, 12);
    expect(offer.tokenGapS).toBeCloseTo(1 / 55, 12);
    expect(offer.finishS - offer.firstTokenS).toBeCloseTo(1, 12);
    expect(offer.attempt(20, 1, 0, 1000, 1, 1024)).toBe(ADMITTED);
    expect(offer.finishS).toBe(offer.firstTokenS);
  });

  test("429: the answer comes after the network, the header in whole seconds, and nothing is taken", () => {
    const offer = offerWith({ limits: [rpm(1), tpm(60_000)] });
    expect(offer.attempt(0, 0, 0, 100, 10, 1024)).toBe(ADMITTED);
    const level = levelAt(offer.limits[1]!, 10.5);
    expect(offer.attempt(10.5, 1, 0, 100, 10, 1024)).toBe(RATE_LIMITED);
    expect(offer.retryAfterS).toBe(50); // 49.5 s, rounded up
    expect(offer.finishS).toBeCloseTo(10.55, 12);
    expect(offer.firstTokenS).toBe(Infinity);
    expect(levelAt(offer.limits[1]!, 10.5)).toBe(level);
    expect(levelAt(offer.limits[0]!, 10.5)).toBeCloseTo(10.5 / 60, 12); // refused attempts do not count here
  });

  test("the longest wait of all limits is what the header says", () => {
    const offer = offerWith({ limits: [rpm(1), tpm(12_000)] });
    expect(offer.attempt(0, 0, 0, 10_000, 10, 2_000)).toBe(ADMITTED);
    expect(offer.attempt(1, 1, 0, 10_000, 10, 2_000)).toBe(RATE_LIMITED);
    expect(offer.retryAfterS).toBe(59);
    expect(offer.attempt(1, 2, 0, 1, 10, 1)).toBe(RATE_LIMITED); // tokens for it are there, requests are not
    expect(offer.retryAfterS).toBe(59);
  });

  test("oversize is permanent and takes nothing: above a bucket, above the context window", () => {
    const offer = offerWith({ limits: [rpm(60), tpm(50_000)], contextTokens: 40_000 });
    expect(offer.attempt(0, 0, 0, 49_000, 10, 1024)).toBe(OVERSIZE);
    expect(offer.attempt(0, 1, 0, 39_000, 10, 1001)).toBe(OVERSIZE);
    expect(offer.attempt(0, 2, 0, 39_000, 10, 1000)).toBe(ADMITTED);
    const roomy = offerWith({ limits: [rpm(60), tpm(50_000)] });
    expect(roomy.attempt(0, 0, 0, 49_000, 10, 1001)).toBe(OVERSIZE);
    expect(levelAt(roomy.limits[0]!, 0)).toBe(60);
    expect(roomy.oversize).toBe(1);
  });

  test("overload gives the tokens back and keeps the request", () => {
    const congestion = [{ ...CONGESTION[0]!, overloadProbability: 1, next: [1] }];
    const offer = offerWith({ limits: [rpm(60), tpm(60_000)], congestion });
    expect(offer.attempt(0, 0, 0, 1000, 10, 1024)).toBe(OVERLOADED);
    expect(offer.retryAfterS).toBe(Infinity);
    expect(offer.limits.map((limit) => levelAt(limit, 0))).toEqual([59, 60_000]);
  });

  test("an outage is met before any limit", () => {
    const offer = offerWith({ limits: [rpm(60, 60, true)], outages: permanentOutage(1) });
    expect(offer.attempt(0, 0, 0, 1000, 10, 1024)).toBe(OUTAGE);
    expect(levelAt(offer.limits[0]!, 0)).toBe(60);
    expect(offer.outageFailures).toBe(1);
  });

  test("finish settles to what was used, fail to what was produced", () => {
    const offer = offerWith({ limits: [tpm(60_000)] });
    offer.attempt(0, 0, 0, 1000, 500, 2000);
    expect(levelAt(offer.limits[0]!, 0)).toBe(57_000);
    offer.finish(0, 0, 1000, 0, 2000, 500);
    expect(levelAt(offer.limits[0]!, 0)).toBe(58_500);
    offer.attempt(0, 1, 0, 1000, 500, 2000);
    offer.fail(0, 0, 1000, 0, 2000, 500, 100, 1, 0.1);
    expect(levelAt(offer.limits[0]!, 0)).toBe(57_400);
    expect(offer.abandoned).toBe(1);
  });

  test("time must not run backwards", () => {
    const offer = offerWith({});
    offer.attempt(5, 0, 0, 1, 1, 1);
    expect(() => offer.attempt(4, 1, 0, 1, 1, 1)).toThrow(InvariantError);
    expect(() => offer.finish(NaN, 0, 1, 0, 1, 1)).toThrow(InvariantError);
  });

  test("the warm-up is not counted", () => {
    const offer = offerWith({ limits: [rpm(1)] });
    offer.attempt(-10, 0, 0, 1, 1, 1);
    offer.attempt(-5, 1, 0, 1, 1, 1);
    expect([offer.attempts, offer.admitted, offer.rateLimited]).toEqual([0, 0, 0]);
    offer.attempt(0, 2, 0, 1, 1, 1);
    expect([offer.attempts, offer.rateLimited]).toEqual([1, 1]);
  });
});

test("tokens produced by the time the client gives up", () => {
  expect(producedTokens(0.9, 1, 0.1, 50)).toBe(0);
  expect(producedTokens(1, 1, 0.1, 50)).toBe(1);
  expect(producedTokens(1.25, 1, 0.1, 50)).toBe(3);
  expect(producedTokens(100, 1, 0.1, 50)).toBe(50);
});

describe("same seed, same luck", () => {
  const full = { limits: [rpm(300), tpm(600_000)], congestion: CONGESTION, outages: OPENAI_OUTAGES };

  test("the same replication gives the same numbers, another gives others", () => {
    const record = (replication: number): number[] => {
      const offer = offerWith(full, replication);
      send(offer, 20_000, 30 * 86_400);
      return [offer.admitted, offer.overloaded, offer.outageFailures, offer.firstTokenS, offer.availabilityFraction];
    };
    expect(record(0)).toEqual(record(0));
    expect(record(1)).not.toEqual(record(0));
  });

  test("a request has the same latency whatever happened before it", () => {
    const idle = offerWith({});
    const busy = offerWith({ limits: [rpm(6000), tpm(1e9)], name: "other" });
    for (let i = 0; i < 500; i++) busy.attempt(0, i, i % 3, 500, 100, 1024);
    for (const offer of [idle, busy]) offer.attempt(100, 1234, 1, 700, 90, 1024);
    expect([busy.firstTokenS, busy.tokenGapS, busy.finishS]).toEqual([idle.firstTokenS, idle.tokenGapS, idle.finishS]);
    idle.attempt(100, 1234, 2, 700, 90, 1024);
    expect(idle.firstTokenS).not.toBe(busy.firstTokenS); // a retry is a new draw
  });

  test("congestion and outages do not notice who asks when", () => {
    const often = offerWith(full);
    const seldom = offerWith(full);
    for (let i = 0; i < 3000; i++) often.attempt(i * 800, i, 0, 500, 100, 1024);
    for (const offer of [often, seldom]) offer.attempt(2_500_000, 99_999, 0, 700, 90, 1024);
    expect(seldom.finishS).toBe(often.finishS);
    expect(seldom.outages).toEqual(often.outages);
  });

  test("a longer horizon or warm-up moves no outage", () => {
    const base = offerWith(full).outages;
    const longer = new Offer({ ...OFFER, ...full }, { ...CONTEXT, horizonS: 90 * 86_400, warmupS: 10 * 86_400 })
      .outages;
    expect(base.length).toBeGreaterThan(0);
    expect(longer.length).toBeGreaterThan(base.length);
    for (const outage of base) expect(longer).toContainEqual(outage);
  });

  test("the first draws of each stream are frozen", () => {
    const offer = offerWith(full);
    offer.attempt(0, 0, 0, 1000, 100, 1024);
    expect([offer.firstTokenS, offer.tokenGapS, offer.outages[0]!.startS]).toEqual([
      1.8032785675557357, 0.017379033739171258, 9025.22762794979,
    ]);
  });
});

test("congestion: a dwell is -mean ln(1 - u), then the state that u picks", () => {
  // 1 - u = 1/e makes every dwell its mean; busy goes back to normal (0.632 < 0.9). The chain begins a week before t = 0.
  const congestion = new Congestion(CONGESTION, () => 1 - Math.exp(-1), -1800);
  for (let cycle = 8; cycle < 12; cycle++) {
    const startS = (-168 + cycle * 21.5) * 3600;
    for (const [hour, factor] of [
      [0.001, 1],
      [19.999, 1],
      [20.001, 1.35],
      [21.499, 1.35],
    ] as const) {
      congestion.advance(startS + hour * 3600);
      expect(congestion.ttftFactor).toBe(factor);
    }
  }
  const worst = new Congestion(CONGESTION, () => 0.95, 0); // busy goes on to degraded at 0.9 and above
  worst.advance(-7 * 86_400 - Math.log(0.05) * 21.6 * 3600);
  expect([worst.ttftFactor, worst.rateFactor, worst.overloadProbability]).toEqual([2.5, 0.6, 0.03]);
});

describe("each parameter moves its result in the stated direction", () => {
  const N = 4000;
  const SPAN_S = 5 * 86_400;
  const mean = (changes: Partial<ResolvedOffer>, inputTokens = 1000) =>
    send(offerWith(changes), N, SPAN_S, inputTokens);
  const latency = (changes: Partial<ResolvedOffer["latency"]>) => mean({ latency: { ...OFFER.latency, ...changes } });
  const base = mean({});

  test("first token", () => {
    expect(latency({ ttftBaseS: 2.4 }).ttftS).toBeGreaterThan(base.ttftS);
    expect(latency({ ttftSigma: 0.5 }).ttftS).toBeGreaterThan(base.ttftS);
    expect(latency({ tailProbability: 0.04 }).ttftS).toBeGreaterThan(base.ttftS);
    expect(latency({ tailMultiple: 8 }).ttftS).toBeGreaterThan(base.ttftS);
    expect(latency({ tailSigma: 0.6 }).ttftS).toBeGreaterThan(base.ttftS);
    expect(latency({ prefillSPerKTok: 0.08 }).ttftS - base.ttftS).toBeCloseTo(0.04, 9);
    expect(mean({}, 3000).ttftS - base.ttftS).toBeCloseTo(0.08, 9);
    expect(mean({ networkS: 0.15 }).ttftS - base.ttftS).toBeCloseTo(0.1, 9);
  });

  test("token rate", () => {
    expect(base.gapS / latency({ tokensPerS: 110 }).gapS).toBeCloseTo(2, 9);
    expect(latency({ rateSigma: 0.4 }).gapS).toBeGreaterThan(base.gapS);
  });

  test("hour of the week: weekdays inside the hours alone", () => {
    const diurnal = { fromHour: 13, toHour: 19, ttftFactor: 1.35, rateFactor: 0.75 };
    const at = (day: number, hour: number) => {
      const plain = offerWith({ networkS: 0, latency: { ...OFFER.latency, prefillSPerKTok: 0 } });
      const daily = offerWith({ networkS: 0, latency: { ...OFFER.latency, prefillSPerKTok: 0 }, diurnal });
      const timeS = day * 86_400 + hour * 3600;
      for (const offer of [plain, daily]) offer.attempt(timeS, 3, 0, 100, 100, 1024);
      return [(daily.firstTokenS - timeS) / (plain.firstTokenS - timeS), plain.tokenGapS / daily.tokenGapS].map(
        (ratio) => Math.round(ratio * 1e6) / 1e6,
      );
    };
    expect(at(0, 13)).toEqual([1.35, 0.75]);
    expect(at(4, 18.99)).toEqual([1.35, 0.75]);
    for (const [day, hour] of [
      [0, 12.99],
      [0, 19],
      [5, 15],
      [6, 15],
    ] as const)
      expect(at(day, hour)).toEqual([1, 1]);
  });

  test("congestion slows and overloads", () => {
    const congested = offerWith({ congestion: CONGESTION });
    const { ttftS, gapS } = send(congested, N, SPAN_S);
    expect(ttftS).toBeGreaterThan(base.ttftS);
    expect(gapS).toBeGreaterThan(base.gapS);
    const worse = offerWith({ congestion: CONGESTION.map((state) => ({ ...state, overloadProbability: 0.1 })) });
    send(worse, N, SPAN_S);
    expect(worse.overloaded).toBeGreaterThan(congested.overloaded);
  });

  test("an outage fails its share of requests and slows the rest", () => {
    const offer = offerWith({ outages: permanentOutage(0.3, 2.5) });
    const { ttftS, gapS } = send(offer, N, SPAN_S);
    expect(offer.availabilityFraction).toBeCloseTo(0.7, 6);
    expect(offer.outageFailures / N).toBeGreaterThan(0.28);
    expect(offer.outageFailures / N).toBeLessThan(0.32);
    expect(ttftS).toBeGreaterThan(2 * base.ttftS);
    expect(gapS / base.gapS).toBeGreaterThan(2.4);
    expect(offerWith({}).availabilityFraction).toBe(1);
  });

  test("halving the requests per minute raises the 429s", () => {
    const refusals = [120, 60, 30].map((limit) => {
      const offer = offerWith({ limits: [rpm(limit)] });
      send(offer, 2000, 1000);
      return offer.rateLimited;
    });
    expect(refusals[0]).toBe(0);
    expect(refusals[1]).toBe(2000 - 60 - 1000 + 1); // its depth and one a second
    expect(refusals[2]).toBeGreaterThan(refusals[1]!);
  });

  test("refused attempts that count make the limit tighter", () => {
    const admitted = [false, true].map((failedCounts) => {
      const offer = offerWith({ limits: [rpm(60, 60, failedCounts)] });
      send(offer, 2000, 1000);
      return offer.admitted;
    });
    expect(admitted[1]).toBeLessThan(admitted[0]!);
  });
});

describe("who would be taken", () => {
  // Half of all prompts begin alike, so that what is cached makes room under the limit of fresh tokens.
  const content = (): PromptContent => ({
    key: (request, _classIndex, block) => (request % 2 === 0 ? block : -1),
    run: () => 1,
  });
  const fresh: LimitSpec = { ...tpm(4000), reserve: { ...NO_CHARGE, uncached: 1 }, settle: null };
  const flex = { fromHour: 0, toHour: 24, peakProbability: 0.4, otherProbability: 0.4 };
  const successor = {
    model: "next",
    stopEpochS: MONDAY_EPOCH_S + 600,
    moveEpochS: MONDAY_EPOCH_S + 900,
    contextTokens: 400_000,
    latency: OFFER.latency,
  };
  const cases: Record<string, Partial<ResolvedOffer>> = {
    limits: { limits: [rpm(10, 10), tpm(60_000)] },
    "a limit of fresh tokens, before a prompt cache": {
      limits: [fresh],
      promptCache: { ttlS: 300, minTokens: 128, stepTokens: 128 },
    },
    size: { contextTokens: 1500 },
    outages: { outages: permanentOutage(0.5) },
    overload: { congestion: CONGESTION.map((state) => ({ ...state, overloadProbability: 0.3 })) },
    "flex capacity": { form: { kind: "flex", unavailable: flex } },
    retirement: { successor },
  };

  test.each(Object.entries(cases))("is who is admitted: %s", (_, changes) => {
    const offer = new Offer({ ...OFFER, ...changes }, { ...CONTEXT, content });
    const draw = stream("7", 0, "would-take");
    const seen = { yes: 0, no: 0 };
    for (let i = 0; i < 400; i++) {
      const args = [i * 3, i, 0, 200 + Math.floor(draw() * 1000), 50, 512, 0] as const;
      const would = offer.wouldTake(...args);
      expect(offer.wouldTake(...args)).toBe(would);
      expect(offer.attempt(...args) === ADMITTED).toBe(would);
      seen[would ? "yes" : "no"]++;
    }
    expect(Math.min(seen.yes, seen.no)).toBeGreaterThan(20);
  });
});

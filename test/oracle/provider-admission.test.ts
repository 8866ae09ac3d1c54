/** Admission control against the worked examples that vendors publish or that follow from their rules. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { retryDelayS } from "../../src/dispatch/client.ts";
import type { ClientProfile, LimitSpec } from "../../src/scenario/resolved.ts";
import { ADMITTED, Offer, RATE_LIMITED } from "../../src/provider/offer.ts";
import { createLimit } from "../../src/provider/limits/registry.ts";
import { CONTEXT, OFFER } from "../fixtures/provider-offer.ts";

interface Fixture {
  readonly id: string;
  readonly title: string;
  readonly config: {
    readonly limits?: readonly {
      readonly id: string;
      readonly kind: string;
      readonly limit_per_min: number;
      readonly burst_s: number;
      readonly failed_counts?: boolean;
    }[];
    readonly [key: string]: unknown;
  };
  readonly events: readonly {
    readonly t_ms: number;
    readonly type: string;
    readonly charges: Readonly<Record<string, number>>;
    readonly [key: string]: unknown;
  }[];
  readonly expected: readonly {
    readonly status?: number;
    readonly wait_ms?: number;
    readonly retry_after_s?: number;
    readonly level_after?: Readonly<Record<string, number>>;
    readonly headers?: Readonly<Record<string, number>>;
    readonly delay_ms?: number;
  }[];
}

const file = new URL("../fixtures/admission-fixtures.json", import.meta.url);
const { fixtures } = JSON.parse(readFileSync(file, "utf8")) as { fixtures: readonly Fixture[] };
const bucketFixtures = fixtures.filter(
  ({ config }) => config.limits !== undefined && config.limits.every((limit) => limit.kind === "token_bucket"),
);

describe("token bucket", () => {
  test("three examples concern it", () => {
    expect(bucketFixtures.map(({ id }) => id)).toEqual([
      "token-bucket-itpm",
      "token-bucket-one-per-second",
      "two-limits-failed-counts",
    ]);
  });

  test.each(bucketFixtures)("$title", ({ config, events, expected }) => {
    const ids = config.limits!.map((limit) => limit.id);
    const limits = config.limits!.map((limit): LimitSpec => {
      const tokens = limit.id.endsWith("tpm");
      return {
        name: limit.id,
        kind: "token_bucket",
        limitPerMin: limit.limit_per_min,
        burstS: limit.burst_s,
        reserve: { op: "sum", requests: tokens ? 0 : 1, input: tokens ? 1 : 0, maxOutput: 0, output: 0 },
        settle: null,
        failedCounts: limit.failed_counts ?? false,
      };
    });
    const offer = new Offer({ ...OFFER, limits }, CONTEXT);
    events.forEach((event, i) => {
      const want = expected[i]!;
      const timeS = event.t_ms / 1000;
      const tokens = Object.entries(event.charges).find(([id]) => id.endsWith("tpm"))?.[1] ?? 0;
      const waitS = Math.max(...ids.map((id, l) => offer.limits[l]!.waitS(timeS, event.charges[id]!)));
      expect(Math.abs(waitS * 1000 - want.wait_ms!)).toBeLessThan(1e-3);
      expect(offer.attempt(timeS, i, 0, tokens, 1, 1)).toBe(want.status === 200 ? ADMITTED : RATE_LIMITED);
      expect(offer.retryAfterS).toBe(
        want.status === 200 ? Infinity : (want.retry_after_s ?? Math.ceil(want.wait_ms! / 1000)),
      );
      for (const [id, level] of Object.entries(want.level_after ?? {})) {
        expect(Math.abs(offer.limits[ids.indexOf(id)]!.level(timeS) - level)).toBeLessThan(1e-6);
      }
      if (want.headers !== undefined) {
        const level = offer.limits[0]!.level(timeS);
        expect(Math.floor(level)).toBe(want.headers["x-ratelimit-remaining-tokens"]);
        const resetMs = ((limits[0]!.limitPerMin - level) / limits[0]!.limitPerMin) * 60_000;
        expect(Math.abs(resetMs - want.headers["x-ratelimit-reset-tokens-ms"]!)).toBeLessThan(1e-3);
        expect(offer.limits[1]!.level(timeS)).toBe(want.headers["x-ratelimit-remaining-requests"]);
      }
    });
  });

  test("settling down never fills it above its depth", () => {
    const bucket = createLimit({ kind: "token_bucket", limitPerMin: 60_000, burstS: 60 });
    bucket.take(0, 10_000);
    expect(bucket.level(0)).toBe(50_000);
    bucket.settle(5, 10_000, 4_000);
    expect(bucket.level(5)).toBe(60_000);
  });

  test("settling up leaves a debt that later arrivals wait out", () => {
    const bucket = createLimit({ kind: "token_bucket", limitPerMin: 60_000, burstS: 60 });
    bucket.take(0, 55_000);
    bucket.settle(2, 30_000, 42_000);
    expect(bucket.level(2)).toBe(-5_000);
    expect(bucket.waitS(2, 100)).toBeCloseTo(5.1, 12);
    bucket.debitRefused(2, 100);
    expect(bucket.level(2)).toBe(-5_000); // a refusal is no gift
  });
});

test("debt bucket: nothing on arrival, refused while in debt", () => {
  const bucket = createLimit({ kind: "debt_bucket", limitPerMin: 12_000, burstS: 60 });
  expect(bucket.oversize(1e9)).toBe(false);
  expect(bucket.waitS(0, 1e9)).toBe(0);
  bucket.take(0, 1e9);
  expect(bucket.level(0)).toBe(12_000);
  bucket.settle(0, 0, 13_000);
  expect(bucket.level(0)).toBe(-1_000);
  expect(bucket.waitS(0, 0)).toBe(5);
  expect(bucket.waitS(5, 0)).toBe(0);
  expect(bucket.level(5)).toBeCloseTo(0, 9);
});

test("SDK back-off", () => {
  const fixture = fixtures.find(({ id }) => id === "sdk-backoff")!;
  const config = fixture.config as Readonly<Record<string, number>>;
  const client: ClientProfile = {
    name: "openai-node",
    maxRetries: Infinity, // the example goes on past the two retries of the SDK
    backoffInitialS: config["initial_s"]!,
    backoffFactor: config["factor"]!,
    backoffMaxS: config["max_s"]!,
    jitterFraction: config["jitter"]!,
    honorRetryAfter: true,
    maxRetryAfterS: null,
  };
  fixture.events.forEach((event, i) => {
    const retryAfterMs = event["retry_after_ms"] ?? Number(event["retry_after_s"] ?? Infinity) * 1000;
    const delayS = retryDelayS(client, Number(event["attempt"]), Number(retryAfterMs) / 1000, Number(event["u"]));
    expect(delayS * 1000).toBe(fixture.expected[i]!.delay_ms);
  });
  expect(fixture.events).toHaveLength(9);
});

/** Redaction and refused crossings in runs: which way each knob moves a result, and what an outage cannot open. */
import { describe, expect, test } from "vitest";
import { CLEANED, Redaction } from "../../src/dispatch/redaction.ts";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import { BOUNDARY_REFUSED, COMPLETED, IN_FLIGHT_AT_HORIZON } from "../../src/outcome/recorder.ts";
import type { RunResult } from "../../src/outcome/run-result.ts";
import type { RedactionSpec, ResolvedStrategy } from "../../src/scenario/resolved.ts";
import { rpm } from "../fixtures/provider-offer.ts";
import {
  NO_RETRIES,
  offer,
  poissonTraffic,
  pool,
  requestClass,
  RowList,
  runOptions,
  setting,
  strategy,
  to,
  TWO_RETRIES,
  type Row,
} from "../fixtures/strategies.ts";

const CLASSES = [requestClass({ name: "moderate", sensitivity: "moderate", redactable: true })];
const STEP: RedactionSpec = { latencyS: 0.2, usdPerRequest: 0.001, usdPerMTok: 0, failFraction: 0.1 };

function run(
  plan: ResolvedStrategy,
  client = NO_RETRIES,
): { readonly result: RunResult; readonly rows: readonly Row[] } {
  const rows = new RowList();
  const of = setting({ classes: CLASSES, horizonS: 1200, client });
  const replicas = plan.pools.map(() => 2);
  return { result: simulateRun(of, plan, poissonTraffic(of), runOptions({ rows, replicas })), rows: rows.list };
}

function redacting(spec: Partial<RedactionSpec>, inside: boolean): ReturnType<typeof run> {
  const away = { ...to("offer"), redact: true } as const;
  const plan = inside ? strategy([[away, to("pool")]], [pool()], [offer()]) : strategy([[away]], [], [offer()]);
  return run({ ...plan, redaction: { ...STEP, ...spec } });
}

const usd = ({ result }: ReturnType<typeof run>, line: string): number =>
  result.series.ledger.usd.reduce((sum, amount, i) => sum + (result.series.ledger.line[i] === line ? amount : 0), 0);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("redaction on the way out", () => {
  const base = redacting({}, true);
  const { totals } = base.result.classes[0]!;

  test("tries each request once, and what it cannot clean stays inside", () => {
    const step = new Redaction(STEP, "7", 0);
    expect(totals.redacted).toBe(totals.sent);
    const inside = base.rows.filter((row) => row.route === 1);
    const outside = base.rows.filter((row) => row.route === 2);
    expect(inside.every((row) => step.outcome(row.request) !== CLEANED)).toBe(true);
    expect(outside.every((row) => step.outcome(row.request) === CLEANED)).toBe(true);
    expect(inside.length).toBe(totals.notCleanable);
    expect(totals.notCleanable / totals.redacted).toBeCloseTo(0.1, 1);
    // Each of them would have gone out.
    expect(totals.blockedByBoundary).toBe(0);
  });

  test("a larger share that cannot be cleaned sends more to own capacity", () => {
    expect(redacting({ failFraction: 0.5 }, true).result.classes[0]!.totals.notCleanable).toBeGreaterThan(
      3 * totals.notCleanable,
    );
  });

  test("its time is part of the first token's", () => {
    const atOffer = ({ rows }: ReturnType<typeof run>): number =>
      mean(rows.filter((row) => row.route === 2 && row.outcome === COMPLETED).map((row) => row.ttftS));
    expect(atOffer(redacting({ latencyS: 0.7 }, true)) - atOffer(base)).toBeCloseTo(0.5, 2);
  });

  test("it costs by request and by prompt token, cleaned or not", () => {
    expect(usd(base, "api-redaction")).toBeCloseTo(totals.redacted * 0.001, 9);
    const byToken = redacting({ usdPerRequest: 0, usdPerMTok: 2 }, true);
    const sentTokens = byToken.rows.reduce((sum, row) => sum + row.inputTokens, 0);
    expect(usd(byToken, "api-redaction") / (2e-6 * sentTokens)).toBeCloseTo(1, 9);
  });

  test("without a target inside, what cannot be cleaned is refused", () => {
    const { rows, result } = redacting({}, false);
    const refused = rows.filter((row) => row.outcome === BOUNDARY_REFUSED);
    expect(refused.length).toBe(result.classes[0]!.totals.boundaryRefused);
    expect(refused.length / rows.length).toBeCloseTo(0.1, 1);
    const others = rows.filter((row) => row.outcome !== BOUNDARY_REFUSED && row.outcome !== COMPLETED);
    expect(others.every((row) => row.outcome === IN_FLIGHT_AT_HORIZON)).toBe(true);
    // The offer would have taken them all.
    expect(result.classes[0]!.totals.blockedByBoundary).toBe(refused.length);
  });
});

describe("refused crossings", () => {
  const [down, up] = [
    { ...offer({ name: "permitted", provider: "permitted" }), outages: alwaysDown() },
    offer({ name: "barred", provider: "barred" }),
  ];
  const plan = (barred = up): ResolvedStrategy => ({
    ...strategy([[to("offer", 0)]], [], [down, barred]),
    forbidden: [[to("offer", 1)]],
  });

  test("in an outage of all that is permitted, nothing crosses and every request counts once, retries or not", () => {
    for (const client of [NO_RETRIES, TWO_RETRIES]) {
      const { result, rows } = run(plan(), client);
      const { totals } = result.classes[0]!;
      expect(rows.every((row) => row.route !== 2)).toBe(true);
      expect(result.offers[1]!.attempts).toBe(0);
      const failed = totals.sent - totals.completed;
      expect(totals.completed).toBeLessThan(0.2 * totals.sent);
      if (client === NO_RETRIES) expect(totals.blockedByBoundary).toBe(failed);
      else expect(totals.blockedByBoundary).toBeGreaterThanOrEqual(failed);
      expect(totals.blockedByBoundary).toBeLessThanOrEqual(totals.sent);
    }
  });

  test("what the barred target could not have taken does not count", () => {
    const alsoDown = { ...up, outages: alwaysDown(1) };
    expect(run(plan(alsoDown)).result.classes[0]!.totals.blockedByBoundary).toBe(0);
    const tooSmall = { ...up, contextTokens: 1 };
    expect(run(plan(tooSmall)).result.classes[0]!.totals.blockedByBoundary).toBe(0);
  });

  test("asking whether it would have taken them leaves the barred target as it is for others", () => {
    const limited = offer({ name: "barred", provider: "barred", limits: [rpm(30)] });
    const of = setting({ classes: [CLASSES[0]!, requestClass({ name: "open" })], horizonS: 1200 });
    const both = (forbidden: boolean): RunResult =>
      simulateRun(
        of,
        {
          ...strategy([[to("offer", 0)], [to("offer", 1)]], [], [down, limited]),
          ...(forbidden ? { forbidden: [[to("offer", 1)], []] } : {}),
        },
        poissonTraffic(of),
        runOptions({ replicas: [] }),
      );
    expect(both(true).classes[1]).toEqual(both(false).classes[1]);
    expect(both(true).classes[0]!.totals.blockedByBoundary).toBeGreaterThan(0);
  });

  test("a full pool whose requests would have spilled over", () => {
    const full = pool({ maxWaitingPerReplica: 0, engine: { maxNumSeqs: 1 } });
    const spill: ResolvedStrategy = {
      ...strategy([[to("pool")]], [full], [up]),
      forbidden: [[to("offer", 0)]],
    };
    const { totals } = run(spill).result.classes[0]!;
    expect(totals.rejected).toBeGreaterThan(0);
    expect(totals.blockedByBoundary).toBe(totals.rejected);
  });
});

/** One outage after the other, each request failing with this probability. */
function alwaysDown(errorFraction = 0.95) {
  return {
    gapWeibullShape: 1,
    gapWeibullScaleH: 0.5,
    durationLnHMean: 5,
    durationLnHSigma: 0,
    durationMaxH: 100,
    hazard: { businessHours: 1, otherWeekday: 1, weekend: 1 },
    severities: [{ name: "critical", weight: 1, errorFraction, latencyFactor: 1 }],
  };
}

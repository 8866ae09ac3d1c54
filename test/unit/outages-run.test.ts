/** Outages in a run's books. */
import { expect, test } from "vitest";
import { OPENAI_OUTAGES } from "../fixtures/provider-offer.ts";
import { listTraffic, offer, requestClass, setting, strategy, to } from "../fixtures/strategies.ts";
import { watch } from "../invariants/random-runs.ts";

test("an outage that began before the run counts as one, as in the table of incidents", () => {
  // Gaps of minutes and durations of hours: the first one began before t = 0.
  const outages = { ...OPENAI_OUTAGES, gapWeibullScaleH: 0.1, durationLnHMean: 3 };
  const of = setting({ horizonS: 600, classes: [requestClass()] });
  const plan = strategy([[to("offer")]], [], [offer({ outages })]);
  const { result } = watch(of, plan, [], listTraffic([{ timeS: 10, inputTokens: 100, outputTokens: 10 }]));
  const { startS } = result.series.incidents;
  expect(startS[0]).toBe(0);
  expect(result.offers[0]!.outages).toBe(startS.length);
});

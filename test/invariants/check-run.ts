/**
 * Every invariant that can be told from outside a run; each check names its INV number in the failure. Plain comparisons
 * that throw, since there are some for each request.
 */
import { CLEANED, Redaction } from "../../src/dispatch/redaction.ts";
import { gpusPerReplica } from "../../src/engine/parallelism.ts";
import { createStepTime } from "../../src/engine/step-time-physics.ts";
import {
  BOUNDARY_REFUSED,
  COMPLETED,
  FAILED,
  IN_FLIGHT_AT_HORIZON,
  NO_ROUTE,
  OUTCOME_NAMES,
  REJECTED,
  TIMED_OUT,
} from "../../src/outcome/recorder.ts";
import { Sketch } from "../../src/kernel/sketch.ts";
import type { ResolvedOffer } from "../../src/scenario/resolved.ts";
import type { WatchedRun } from "./random-runs.ts";

export function checkRun(run: WatchedRun): void {
  checkConservation(run);
  checkTimes(run);
  checkHours(run);
  checkHardwareBound(run);
  checkStatistics(run);
  checkBoundary(run);
  checkRedaction(run);
  checkLedger(run);
  checkTargets(run);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function must(holds: boolean, what: string, facts: object = {}): void {
  if (!holds) throw new Error(`${what} does not hold: ${JSON.stringify(facts)}`);
}

function same(value: number, expected: number, what: string): void {
  must(value === expected, what, { value, expected });
}

function near(value: number, expected: number, what: string, tolerance = 1e-9): void {
  must(Math.abs(value - expected) <= tolerance * Math.max(1, Math.abs(expected)), what, { value, expected });
}

/** Up to rounding. */
function atMost(value: number, bound: number, what: string): void {
  must(value <= bound + 1e-9 * Math.abs(bound) + 1e-9, what, { value, bound });
}

/** INV-1: every request ends in exactly one outcome or is in flight, by class; rows, totals, windows and call-backs agree. */
function checkConservation({ setting, result, rows, sent, endedS }: WatchedRun): void {
  same(new Set(rows.map((row) => row.request)).size, rows.length, "INV-1: one row a request");
  setting.classes.forEach((_, c) => {
    const { totals, inFlightAtHorizon } = result.classes[c]!;
    const ofClass = rows.filter((row) => row.classIndex === c);
    let counted = 0;
    let open = 0;
    sent.forEach((request, ordinal) => {
      if (request.classIndex !== c || request.timeS < 0) return;
      counted++;
      if (Number.isNaN(endedS[ordinal])) open++;
    });
    same(totals.sent, counted, "INV-1: sent");
    same(inFlightAtHorizon, open, "INV-1: in flight");
    const { completed, rejected, timedOut, failed, boundaryRefused } = totals;
    const outcomes = [completed, rejected, timedOut, failed, boundaryRefused, inFlightAtHorizon];
    same(sum(outcomes), totals.sent, "INV-1");
    outcomes.forEach((count, outcome) =>
      same(ofClass.filter((row) => row.outcome === outcome).length, count, `INV-1: ${OUTCOME_NAMES[outcome]}`),
    );
    const { windows } = result.series;
    for (const name of [
      "sent",
      "completed",
      "rejected",
      "timedOut",
      "failed",
      "boundaryRefused",
      "retried",
      "rateLimited",
      "sloMet",
      "inputTokens",
      "outputTokens",
      "reasoningTokens",
      "blockedByBoundary",
      "redacted",
      "notCleanable",
    ] as const)
      same(sum(windows[name].filter((_, i) => windows.classIndex[i] === c)), totals[name], `INV-1: windows, ${name}`);
  });
}

/** INV-3: sent ≤ first token ≤ last token, within the client's patience and the horizon; a time-out comes when it says. */
function checkTimes({ setting, strategy, rows, sent, endedS }: WatchedRun): void {
  const client = strategy.client ?? setting.client;
  const { attemptTimeoutS = null, deadlineS = Infinity, abandonment } = client;
  for (const row of rows) {
    const { timeS, classIndex, inputTokens, outputTokens } = sent[row.request]!;
    const timeoutS = Math.min(setting.classes[classIndex]!.timeoutS, deadlineS);
    const endS = endedS[row.request]!;
    must(
      row.sentS === timeS && row.classIndex === classIndex && row.inputTokens === inputTokens,
      "a row is its request",
      row,
    );
    if (row.outcome === IN_FLIGHT_AT_HORIZON) {
      const atOffer = row.route > strategy.pools.length;
      must(row.outputTokens <= (atOffer ? outputTokens : 0), "what is in flight at an offer is paid", row);
      must(Number.isNaN(endS) && Number.isNaN(row.ttftS + row.tpotS + row.e2eS), "nobody has seen its end", row);
      atMost(setting.horizonS - timeS, timeoutS, "nobody waits beyond the deadline");
      continue;
    }
    must(endS >= timeS, "INV-3: ends after it was sent", row);
    const spec = strategy.pools[row.route - 1];
    const pathS = spec === undefined ? 0 : spec.networkS + (spec.pathSByClass?.[classIndex] ?? 0);
    // What has ended at a pool is on its way to the client for so long.
    const overheadS = spec === undefined || row.outcome !== COMPLETED ? 0 : pathS + spec.engine.apiOverheadMs / 1000;
    must(endS - overheadS < setting.horizonS + 1e-9, "ends within the horizon", { endS });
    atMost(endS - overheadS - timeS, timeoutS, "nobody waits beyond the deadline");
    if (row.outcome === TIMED_OUT && attemptTimeoutS === null && abandonment === undefined)
      near(endS - timeS, timeoutS, "a time-out comes at the deadline");
    if (row.outcome !== COMPLETED) continue;
    same(row.outputTokens, outputTokens, "all tokens came");
    must(row.ttftS > 0 && row.e2eS >= row.ttftS - 1e-12, "INV-3: sent, first token, last token", row);
    near(row.e2eS, endS - timeS, "E2E is what the client saw");
    atMost(overheadS, row.ttftS, "the way is part of TTFT");
    if (outputTokens > 1) near(row.tpotS * (outputTokens - 1), row.e2eS - row.ttftS, "TPOT × gaps");
    else must(Number.isNaN(row.tpotS), "one token has no TPOT", row);
  }
}

/** INV-8: paid = busy + idle + warm + down, in every hour and over all; nothing negative; what is rented is paid for. */
function checkHours({ setting, strategy, replicas, result }: WatchedRun): void {
  const { poolHours: table } = result.series;
  table.pool.forEach((_, i) => {
    const columns = [table.busyReplicaH, table.idleReplicaH, table.warmReplicaH, table.downReplicaH];
    const parts = columns.map((column) => column[i]!);
    near(sum(parts), table.paidReplicaH[i]!, "INV-8: an hour's parts");
    for (const part of parts) atMost(-part, 0, "INV-8: nothing negative");
    atMost(table.occupancyFraction[i]!, 1, "occupancy");
    atMost(table.kvFraction[i]!, 1, "KV fraction");
  });
  strategy.pools.forEach((spec, p) => {
    const { busyH, idleH, warmH, downH, busyFraction } = result.pools[p]!;
    const rentedH = ((replicas[p]! + spec.warmReplicas) * setting.horizonS) / 3600;
    near(busyH + idleH + warmH + downH, rentedH, "INV-8: rented hours are paid");
    atMost(busyFraction, 1, "INV-8: busy within serving");
    const ofPool = (column: readonly number[]): number => sum(column.filter((_, i) => table.pool[i] === spec.name));
    near(ofPool(table.busyReplicaH), busyH, "busy hours add up to the run's");
    near(ofPool(table.paidReplicaH), rentedH, "paid hours add up to the run's");
  });
}

/** INV-11: a pool puts out no more tokens than its best batch allows in the time it was busy. */
function checkHardwareBound({ strategy, result, rows }: WatchedRun): void {
  strategy.pools.forEach((spec, p) => {
    const { decodeBaseS } = createStepTime(spec.gpu, spec.llm, spec.engine, spec.coefficients);
    let tokensPerS = 0;
    for (let d = 1; d <= spec.engine.maxNumSeqs; d++) tokensPerS = Math.max(tokensPerS, d / decodeBaseS[d]!);
    const { role, speculative } = spec.scheduler;
    const elsewhere = role === "decode" ? 1 : 0;
    const tokens = sum(rows.filter((row) => row.route === 1 + p).map((row) => row.outputTokens - elsewhere));
    const bound = result.pools[p]!.busyH * 3600 * tokensPerS * (1 + (speculative?.draftTokens ?? 0));
    atMost(tokens, bound, "INV-11");
  });
}

/** INV-12: means are the means of the samples; percentiles are over completed requests. */
function checkStatistics({ setting, result, rows }: WatchedRun): void {
  setting.classes.forEach(({ slo }, c) => {
    const { totals, ttftS, tpotS, e2eS } = result.classes[c]!;
    const completed = rows.filter((row) => row.classIndex === c && row.outcome === COMPLETED);
    for (const [plain, samples] of [
      [ttftS, completed.map((row) => row.ttftS)],
      [e2eS, completed.map((row) => row.e2eS)],
      [tpotS, completed.map((row) => row.tpotS).filter((value) => !Number.isNaN(value))],
    ] as const) {
      const sketch = Sketch.fromPlain(plain);
      same(sketch.samples(), samples.length, "INV-12: samples");
      if (samples.length === 0) continue;
      near(sketch.mean(), sum(samples) / samples.length, "INV-12: mean");
      const sorted = samples.toSorted((a, b) => a - b);
      for (const q of [0.5, 0.95, 0.99]) {
        const sample = sorted[Math.floor(q * (sorted.length - 1))]!;
        // The tokens of a batch answer come at once.
        if (sample === 0) near(sketch.quantile(q), 0, "SK-1");
        else near(sketch.quantile(q) / sample, 1, "SK-1", 1 / 128);
      }
    }
    const met = completed.filter(
      (row) =>
        row.ttftS <= (slo.ttftS ?? Infinity) &&
        !(row.tpotS > (slo.tpotS ?? Infinity)) &&
        row.e2eS <= (slo.e2eS ?? Infinity),
    );
    same(totals.sloMet, met.length, "INV-12: met");
    const ages = rows
      .filter((row) => row.classIndex === c && row.outcome === IN_FLIGHT_AT_HORIZON)
      .map((row) => setting.horizonS - row.sentS);
    const older = (targetS: number): number => ages.filter((ageS) => ageS > targetS).length;
    const { ttftS: firstS, e2eS: endS } = slo;
    atMost(older(endS ?? Infinity), totals.overdueAtHorizon, "INV-12: overdue");
    atMost(totals.overdueAtHorizon, older(Math.min(firstS ?? Infinity, endS ?? Infinity)), "INV-12: overdue");
  });
}

/** INV-13: a restricted class never reaches an offer, is never billed there and is refused where no pool may take it. */
function checkBoundary({ setting, strategy, rows, result }: WatchedRun): void {
  const { windows, ledger } = result.series;
  const offers = new Set(strategy.offers.map((spec) => spec.name));
  setting.classes.forEach(({ name, sensitivity }, c) => {
    if (sensitivity !== "restricted") return;
    for (const row of rows) must(row.classIndex !== c || row.route <= strategy.pools.length, "INV-13", row);
    windows.route.forEach((route, i) =>
      must(windows.classIndex[i] !== c || !offers.has(route), "INV-13: windows", { route }),
    );
    ledger.target.forEach((target, i) =>
      must(ledger.className[i] !== name || !offers.has(target), "INV-13: ledger", { target }),
    );
    const { totals } = result.classes[c]!;
    same(totals.rateLimited, 0, "INV-13: limits of offers");
    same(
      totals.boundaryRefused,
      strategy.routes[c]!.length === 0 ? totals.sent - result.classes[c]!.inFlightAtHorizon : 0,
      "INV-13: refused",
    );
  });
}

/**
 * INV-14 for the lines of a commercial form, which are checked against the form's own figures: units × time × price, used or
 * not, and what falls short of a commitment. Returns what they cost. What was paid in advance is paid once for every period.
 */
function formUsd({ setting, result }: WatchedRun, { name, form }: ResolvedOffer, usageUsd: number): number {
  const { ledger } = result.series;
  const of = (prefix: string, amounts: readonly number[]): number =>
    sum(amounts.filter((_, i) => ledger.target[i] === name && ledger.line[i]!.startsWith(prefix)));
  const hours = setting.horizonS / 3600;
  if (form?.kind === "provisioned") {
    const reservedUsd = form.reserved === null ? 0 : (form.reservedUnits * hours * form.reserved.usdPerUnit) / 0.5;
    const mostHourlyUsd =
      form.hourly === null ? 0 : (form.units - form.reservedUnits) * (hours + 1 / 60) * form.hourly.usdPerUnit;
    const usd = of("provisioned-", ledger.usd);
    atMost(reservedUsd, usd, "INV-14: reserved units are paid");
    atMost(usd, reservedUsd + mostHourlyUsd, "INV-14: units by the minute");
    if (form.acquisition.successProbability === 1 && form.hourly !== null)
      near(
        usd - reservedUsd,
        ((form.units - form.reservedUnits) * Math.ceil(setting.horizonS / 60) * form.hourly.usdPerUnit) / 60,
        "INV-14: started minutes",
      );
    if (form.reserved !== null)
      near(
        of("provisioned-purchase", ledger.billedUsd),
        Math.ceil(hours / 0.5) * form.reservedUnits * form.reserved.usdPerUnit,
        "INV-14: paid in advance",
      );
    near(of("api-", ledger.billedUsd), 0, "INV-14: tokens of units");
    return usd;
  }
  if (form?.kind === "committed") {
    const shortUsd = Math.max(0, (form.usdPerMonth * hours) / 730 - usageUsd);
    near(of("commitment-shortfall", ledger.usd), shortUsd, "INV-14: shortfall");
    const paidUsd = of("commitment-", ledger.billedUsd) + of("api-", ledger.billedUsd);
    const inAdvance = form.prepaidMonths * form.usdPerMonth;
    const overUsd = Math.max(0, usageUsd - (form.usdPerMonth * hours) / 730);
    near(paidUsd, inAdvance > 0 ? inAdvance + overUsd : usageUsd + shortUsd, "INV-14: commitment paid");
    return shortUsd;
  }
  near(of("", ledger.billedUsd), of("", ledger.usd), "INV-14: nothing in advance");
  return 0;
}

/** INV-13: what could not be cleaned never leaves; the step runs once for a request and is paid for, whatever comes out. */
function checkRedaction({ strategy, rows, result }: WatchedRun): void {
  const { redaction: spec, routes } = strategy;
  if (spec === undefined) return;
  const step = new Redaction(spec, "7", 0);
  routes.forEach((route, c) => {
    const { totals, inFlightAtHorizon } = result.classes[c]!;
    const redactOnly = route.length > 0 && route.every(({ redact }) => redact === true);
    const needs = new Set(
      route.filter(({ redact }) => redact === true).map(({ index }) => 1 + strategy.pools.length + index),
    );
    if (needs.size === 0) same(totals.redacted, 0, "nothing to redact");
    const ofClass = rows.filter((row) => row.classIndex === c);
    const clean = (row: { request: number }): boolean => step.outcome(row.request) === CLEANED;
    for (const row of ofClass) {
      if (!needs.has(row.route)) continue;
      must(clean(row), "INV-13: cleaned before it left", row);
      if (row.outcome === COMPLETED) atMost(spec.latencyS, row.ttftS, "the step takes its time");
    }
    if (redactOnly) {
      const refused = ofClass.filter((row) => row.outcome === BOUNDARY_REFUSED);
      same(refused.filter(clean).length, 0, "INV-13: only what cannot be cleaned is refused");
      // A dispatch policy may ask no target (every breaker is open, none is good enough), so that the step is not needed.
      const mayAskNone = (strategy.dispatch?.[c] ?? null) !== null;
      for (const row of ofClass) {
        const askedNone = mayAskNone && row.outcome === REJECTED && row.route === NO_ROUTE && row.attempts === 0;
        const underWay = row.outcome === IN_FLIGHT_AT_HORIZON && row.route === NO_ROUTE;
        must(
          clean(row) || row.outcome === BOUNDARY_REFUSED || row.outcome === TIMED_OUT || askedNone || underWay,
          "INV-13: and all of it",
          row,
        );
      }
      if (!mayAskNone) same(totals.redacted, totals.sent, "each is tried once");
    }
    atMost(totals.redacted, totals.sent, "once a request");
    atMost(totals.blockedByBoundary, totals.sent, "blocked once a request");
    atMost(inFlightAtHorizon, totals.sent, "in flight");
  });
}

/** INV-14: every line is quantity × price, GPU lines add up to the hours rented, API lines to the requests' own usage. */
function checkLedger(run: WatchedRun): void {
  const { setting, strategy, replicas, result, rows } = run;
  const { ledger } = result.series;
  const ofTarget = (target: string, prefix: string): { quantity: number; usd: number } => {
    const found = ledger.line.flatMap((line, i) => (ledger.target[i] === target && line.startsWith(prefix) ? [i] : []));
    return { quantity: sum(found.map((i) => ledger.quantity[i]!)), usd: sum(found.map((i) => ledger.usd[i]!)) };
  };
  const step = ofTarget("", "api-redaction");
  same(step.quantity, sum(result.classes.map(({ totals }) => totals.redacted)), "INV-14: redacted requests");
  const { usdPerRequest = 0, usdPerMTok = 0 } = strategy.redaction ?? {};
  atMost(step.quantity * usdPerRequest, step.usd, "INV-14: redaction");
  if (usdPerMTok === 0) near(step.usd, step.quantity * usdPerRequest, "INV-14: redaction");
  let expectedUsd = step.usd;
  strategy.pools.forEach((spec, p) => {
    const gpuHours = ((replicas[p]! + spec.warmReplicas) * gpusPerReplica(spec.engine) * setting.horizonS) / 3600;
    const gpu = ofTarget(spec.name, "gpu-");
    near(gpu.quantity, gpuHours, "INV-14: GPU-hours");
    near(gpu.usd, gpuHours * spec.usdPerGpuHour!, "INV-14: GPU USD");
    expectedUsd += gpuHours * spec.usdPerGpuHour!;
  });
  strategy.offers.forEach((spec, o) => {
    const { inputUsdPerMTok, outputUsdPerMTok } = spec.prices[0]!;
    const input = ofTarget(spec.name, "api-input");
    const output = ofTarget(spec.name, "api-output");
    near(input.usd, (input.quantity * inputUsdPerMTok * spec.priceMultiplier) / 1e6, "INV-14: input");
    near(output.usd, (output.quantity * outputUsdPerMTok * spec.priceMultiplier) / 1e6, "INV-14: output");
    expectedUsd += input.usd + output.usd + formUsd(run, spec, input.usd + output.usd);
    const here = rows.filter((row) => row.route === 1 + strategy.pools.length + o);
    const completed = here.filter((row) => row.outcome === COMPLETED);
    // Answers under way at the horizon are billed as far as they will come.
    const whole = [...completed, ...here.filter((row) => row.outcome === IN_FLIGHT_AT_HORIZON && row.outputTokens > 0)];
    const broken = spec.form?.kind === "batch" ? [TIMED_OUT, FAILED] : [TIMED_OUT];
    const target = result.targets[strategy.pools.length + o]!;
    atMost(target.unusedUsd, target.usd, "INV-14: USD of unused answers");
    const timedOut =
      here.filter((row) => broken.includes(row.outcome)).length + target.timedOut + target.abandoned + target.cancelled;
    // Answers broken off by a time-out, and jobs that expired, are billed for what they had produced, completed ones in full.
    const surplus = output.quantity - sum(whole.map((row) => row.outputTokens));
    must(timedOut > 0 ? surplus >= 0 : surplus === 0, "INV-14: answers are billed, and nothing else", {
      surplus,
      timedOut,
    });
    const surplusInput = input.quantity - sum(whole.map((row) => row.inputTokens));
    must(timedOut > 0 ? surplusInput >= 0 : surplusInput === 0, "INV-14: prompts are billed", {
      surplusInput,
      timedOut,
    });
    const { attempts, rateLimited, overloaded, outageFailures } = result.offers[o]!;
    // A failed row may be an outage's, which is counted already.
    atMost(rateLimited + overloaded + outageFailures + completed.length, attempts, "attempts cover their ends");
  });
  if (strategy.pools.length > 0) {
    const { fte, loadedUsdPerYear } = setting.people;
    const peopleUsd = ((fte * loadedUsdPerYear) / 12) * (setting.horizonS / 3600 / 730);
    near(ofTarget("", "people").usd, peopleUsd, "INV-14: people");
    expectedUsd += peopleUsd;
  }
  near(sum(ledger.usd), expectedUsd, "INV-14: total");
  const openOnes = rows.some((row) => row.outcome === IN_FLIGHT_AT_HORIZON && row.route > strategy.pools.length);
  // The second attempt of a request that a pool holds has no row of its own.
  if (openOnes || strategy.hedge !== undefined)
    atMost(result.endedUsd, sum(ledger.usd), "INV-14: what ended costs no more than all");
  else near(result.endedUsd, sum(ledger.usd), "INV-14: all has ended");
}

/** Attempts by target: each has one answer, and those that were taken end once at most. */
function checkTargets({ strategy, rows, result }: WatchedRun): void {
  result.targets.forEach((target, t) => {
    const { taken, timedOut, abandoned, lost, cancelled, hedges, hedgesWon } = target;
    const completed = rows.filter((row) => row.outcome === COMPLETED && row.route === 1 + t).length;
    const handsOn = strategy.pools.some(({ handOff }) => handOff !== null);
    // The warm-up's attempts are not counted, but those of its requests may end after it.
    if (!handsOn && result.requestsSimulated === result.classes.reduce((sum, { totals }) => sum + totals.sent, 0))
      atMost(completed + timedOut + abandoned + lost + cancelled, taken, "attempts end once");
    atMost(hedges, taken, "hedges are attempts");
    atMost(hedgesWon, hedges, "hedges that won");
    if (strategy.hedge === undefined) same(hedges + cancelled, 0, "hedges are asked for");
    if (strategy.breaker === undefined) same(target.skipped + target.breakerOpenS, 0, "breakers are asked for");
  });
}

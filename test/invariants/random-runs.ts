/** Random small runs of the fleet loop, in which everything that can go wrong does. Run n is a function of n alone. */
import type { RunSetting } from "../../src/dispatch/run-book.ts";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import { dispatchNamed, dispatchPlugins } from "../../src/dispatch/policies/registry.ts";
import type { BreakerSpec, DispatchChoice, HedgeSpec, Step } from "../../src/scenario/dispatch.ts";
import type {
  ClientProfile,
  ResolvedOffer,
  ResolvedPool,
  ResolvedStrategy,
  RouteTarget,
  SyntheticTraffic,
} from "../../src/scenario/resolved.ts";
import { stream, type Draw } from "../../src/kernel/random.ts";
import type { RunResult } from "../../src/outcome/run-result.ts";
import type { Traffic } from "../../src/traffic/traffic.ts";
import { CONGESTION, OPENAI_OUTAGES, rpm, tpm } from "../fixtures/provider-offer.ts";
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

export interface SentRequest {
  readonly timeS: number;
  readonly classIndex: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** A run with everything that was seen of it from outside. */
export interface WatchedRun {
  readonly setting: RunSetting;
  readonly strategy: ResolvedStrategy;
  readonly replicas: readonly number[];
  readonly rows: readonly Row[];
  readonly result: RunResult;
  /** By ordinal: what was sent, warm-up included, and when its end was reported (NaN: not yet). */
  readonly sent: readonly SentRequest[];
  readonly endedS: readonly number[];
}

/** Keeps what passes through a traffic cursor. */
class WatchedTraffic implements Traffic {
  readonly sent: SentRequest[] = [];
  readonly endedS: number[] = [];
  private readonly traffic: Traffic;
  constructor(traffic: Traffic) {
    this.traffic = traffic;
  }
  get timeS(): number {
    return this.traffic.timeS;
  }
  get inputTokens(): number {
    return this.traffic.inputTokens;
  }
  get outputTokens(): number {
    return this.traffic.outputTokens;
  }
  get maxOutputTokens(): number {
    return this.traffic.maxOutputTokens;
  }
  get classIndex(): number {
    return this.traffic.classIndex;
  }
  get request(): number {
    return this.traffic.request;
  }
  advance(): void {
    const { request, timeS, classIndex, inputTokens, outputTokens } = this.traffic;
    this.sent[request] = { timeS, classIndex, inputTokens, outputTokens };
    this.endedS[request] = NaN;
    this.traffic.advance();
  }
  onComplete(request: number, timeS: number): void {
    if (!Number.isNaN(this.endedS[request])) throw new Error(`request ${request} ended twice`);
    this.endedS[request] = timeS;
    this.traffic.onComplete(request, timeS);
  }
}

export function watch(
  of: RunSetting,
  plan: ResolvedStrategy,
  replicas: readonly number[],
  traffic: Traffic,
  options: { readonly seed?: string; readonly replication?: number; readonly incidents?: boolean } = {},
): WatchedRun {
  const watched = new WatchedTraffic(traffic);
  const rows = new RowList();
  const result = simulateRun(of, plan, watched, runOptions({ replicas, rows, ...options }));
  const { sent, endedS } = watched;
  return { setting: of, strategy: plan, replicas, rows: rows.list, result, sent, endedS };
}

const OPEN = 0;
const RESTRICTED = 1;
const MODERATE = 2;

interface Scenario {
  readonly setting: RunSetting;
  readonly strategy: ResolvedStrategy;
  readonly traffic: Partial<SyntheticTraffic>;
}

export function randomRun(number: number): WatchedRun {
  return runOf(randomScenario(number));
}

/** As `randomRun`, with clients, breakers, hedges and dispatch policies of all kinds; `policy`: for both classes. */
export function randomDispatchRun(number: number, policy?: string): WatchedRun {
  return runOf(withDispatch(randomScenario(number), stream("random-dispatch", number, "scenario"), policy));
}

function runOf({ setting: of, strategy: plan, traffic }: Scenario): WatchedRun {
  const replicas = plan.pools.map((spec) => Number(spec.replicas));
  return watch(of, plan, replicas, poissonTraffic(of, traffic));
}

function withDispatch({ setting: of, strategy: plan, traffic }: Scenario, draw: Draw, policy?: string): Scenario {
  const oneOf = <T>(values: readonly T[]): T => values[Math.floor(draw() * values.length)]!;
  const client: ClientProfile = {
    ...of.client,
    attemptTimeoutS: oneOf([null, 2, 8]),
    ...(draw() < 0.3 ? { deadlineS: oneOf([2, 10]) } : {}),
    ...(draw() < 0.4 ? { retryBudget: { fractionOfRequests: 0.1, perS: oneOf([0, 0.1]), burst: oneOf([1, 10]) } } : {}),
    ...(draw() < 0.4 ? { abandonment: { medianS: oneOf([0.5, 3]), sigma: 0.5 } } : {}),
  };
  const names = dispatchPlugins.map(({ name }) => name);
  const dispatch = plan.routes.map((route) => randomChoice(draw, policy ?? oneOf(names), route.length));
  const breaker: BreakerSpec = {
    openS: oneOf([5, 30]),
    on429: draw() < 0.5,
    failureFraction: 0.5,
    minAnswers: oneOf([1, 4]),
    allowedFailuresPerMin: oneOf([3, 20]),
    halfOpenProbes: oneOf([0, 1, 3]),
  };
  const hedge: HedgeSpec = {
    afterS: oneOf([0.5, 2]),
    afterPercentile: oneOf([null, 90]),
    maxFraction: oneOf([0.05, 1]),
    race: oneOf(["first-token", "answer"]),
  };
  const changed: ResolvedStrategy = {
    ...plan,
    client,
    dispatch,
    ...(draw() < 0.5 ? { breaker } : {}),
    ...(draw() < 0.5 ? { hedge } : {}),
  };
  return { setting: of, strategy: changed, traffic };
}

/** A policy with options within their ranges. */
export function randomChoice(draw: Draw, policy: string, targets: number): DispatchChoice {
  const { options } = dispatchNamed(policy)!;
  const numbers: Record<string, number> = {};
  const byTarget: Record<string, number[]> = {};
  const steps: Record<string, Step[]> = {};
  for (const [name, option] of Object.entries(options)) {
    if (option.kind === "number")
      numbers[name] = draw() < 0.5 ? option.default : option.min + Math.min(draw() * 4, option.max - option.min);
    else if (option.kind === "by-target")
      byTarget[name] = Array.from({ length: targets }, () => Math.floor(draw() * 3));
    else steps[name] = [0.3, 0.7, 1].map((value, i) => ({ fromS: 150 * i, value }));
  }
  return { policy, numbers, byTarget, steps };
}

function randomScenario(number: number): Scenario {
  const draw = stream("random-run", number, "scenario");
  const oneOf = <T>(values: readonly T[]): T => values[Math.floor(draw() * values.length)]!;
  const poolCount = oneOf([0, 1, 1, 2]);
  const offerCount = poolCount === 0 ? oneOf([1, 2]) : oneOf([0, 1, 1, 2]);
  const pools = Array.from({ length: poolCount }, (_, p) => randomPool(draw, `pool-${p}`));
  const offers = Array.from({ length: offerCount }, (_, o) =>
    randomOffer(draw, `offer-${o}`, stream("random-run", number, `form/${o}`)),
  );
  const ownFirst = draw() < 0.7;
  const ownStops = pools.map((_, p): RouteTarget => to("pool", p, oneOf([null, 1, 4, 12])));
  const offerStops = offers.map((_, o) => to("offer", o));
  const routes: RouteTarget[][] = [];
  routes[OPEN] = ownFirst ? [...ownStops, ...offerStops] : [...offerStops, ...ownStops];
  routes[RESTRICTED] = ownStops;
  const classes = [
    requestClass({ name: "open", shareFraction: 0.6, timeoutS: oneOf([3, 15, 60]) }),
    requestClass({ name: "restricted", shareFraction: 0.25, sensitivity: "restricted", timeoutS: oneOf([5, 30, 60]) }),
    requestClass({ name: "moderate", shareFraction: 0.15, sensitivity: "moderate", redactable: true, timeoutS: 20 }),
  ];
  const of = setting({
    classes,
    horizonS: oneOf([500, 1200, 4000]),
    warmupS: oneOf([0, 100]),
    client: oneOf([NO_RETRIES, TWO_RETRIES, { ...TWO_RETRIES, honorRetryAfter: false }]),
    people: { fte: oneOf([0, 1.5]), loadedUsdPerYear: 240_000, preset: "test" },
  });
  const traffic = {
    meanRatePerS: oneOf([0.3, 2, 6]),
    burst: { components: draw() < 0.5 ? [] : [{ cv: 1, tauS: 60 }], gapCv: oneOf([1, 2]) },
  };
  const redacted = offerStops.map((stop): RouteTarget => ({ ...stop, redact: true }));
  routes[MODERATE] = oneOf([[...ownStops, ...redacted], [...redacted, ...ownStops], redacted, ownStops]);
  const redaction = {
    latencyS: oneOf([0, 0.5, 8]),
    usdPerRequest: oneOf([0, 0.001]),
    usdPerMTok: oneOf([0, 0.1]),
    failFraction: oneOf([0, 0.2, 1]),
  };
  const forbidden = [[], ownStops.length > 0 ? offerStops : [], []];
  return { setting: of, strategy: { ...strategy(routes, pools, offers), redaction, forbidden }, traffic };
}

function randomPool(draw: Draw, name: string): ResolvedPool {
  const oneOf = <T>(values: readonly T[]): T => values[Math.floor(draw() * values.length)]!;
  const incidents = draw() < 0.6;
  return pool({
    name,
    replicas: oneOf([1, 2, 3]),
    warmReplicas: oneOf([0, 0, 1]),
    gpusPerNode: oneOf([1, 2, 8]),
    usdPerGpuHour: oneOf([2, 3.5]),
    maxWaitingPerReplica: oneOf([null, null, 0, 5]),
    router: oneOf([
      { name: "least-in-flight", options: {} },
      { name: "two-choices", options: { d: 2 } },
      { name: "round-robin", options: {} },
    ]),
    coldStart: { restartS: 20, provisionS: 60 },
    incidents: {
      nodeFailuresPerNodeDay: incidents ? 60 : 0,
      nodeRepair: { medianS: 60, sigma: 0.5 },
      engineCrashesPerReplicaDay: incidents ? 300 : 0,
      engineRestart: { medianS: 10, sigma: 0.5 },
    },
    engine: {
      maxNumSeqs: oneOf([2, 8, 32]),
      kvBlocks: oneOf([60, 200, 4000]),
      longPrefillTokenThreshold: oneOf([0, 0, 64]),
    },
  });
}

/** Units of which some are reserved, enough or too few; weights as at no vendor. */
function randomUnits(draw: Draw): Pick<ResolvedOffer, "form" | "prices" | "limits"> {
  const oneOf = <T>(values: readonly T[]): T => values[Math.floor(draw() * values.length)]!;
  const units = oneOf([2, 20]);
  const reservedUnits = oneOf([0, 1, 2]);
  const hourly = { name: "hourly", termH: 0, paidEveryH: 0, usdPerUnit: 0.9 };
  return {
    form: {
      kind: "provisioned",
      plan: "test/units",
      units,
      reservedUnits,
      throughputs: [
        { name: "tokens", units, tokensPerMinPerUnit: 3000, uncachedWeight: 1, cachedWeight: 0, outputWeight: 5 },
      ],
      reserved: reservedUnits === 0 ? null : { name: "test", termH: 0.5, paidEveryH: 0.5, usdPerUnit: 0.3 },
      hourly: reservedUnits === units ? null : hourly,
      acquisition: oneOf([
        { successProbability: 1, leadTimeH: 0 },
        { successProbability: 0.7, leadTimeH: 0.05 },
      ]),
    },
    prices: [{ fromEpochS: null, inputUsdPerMTok: 0, outputUsdPerMTok: 0, longContext: [] }],
    limits: [tpm(units * 3000)],
  };
}

/** Every third offer is bought under some form, by luck of its own so that the rest of the run stays. */
function randomForm(draw: Draw): Partial<ResolvedOffer> {
  const oneOf = <T>(values: readonly T[]): T => values[Math.floor(draw() * values.length)]!;
  if (draw() > 0.45) return {};
  const kind = oneOf(["provisioned", "batch", "flex", "committed"] as const);
  const unavailable = { fromHour: 0, toHour: 24, peakProbability: 0.2, otherProbability: 0.2 };
  switch (kind) {
    case "provisioned":
      return randomUnits(draw);
    case "flex":
      return { form: { kind, unavailable } };
    case "batch":
      return {
        form: {
          kind,
          windowS: oneOf([2, 20]),
          completion: { medianS: 2, sigma: 1 },
          expiredBills: oneOf(["completed", "nothing"]),
        },
      };
    case "committed":
      return { form: { kind, usdPerMonth: oneOf([100, 5000]), prepaidMonths: oneOf([0, 1]) } };
  }
}

function randomOffer(draw: Draw, name: string, forms: Draw): ResolvedOffer {
  const oneOf = <T>(values: readonly T[]): T => values[Math.floor(draw() * values.length)]!;
  return offer({
    name,
    provider: name,
    limits: oneOf([[], [rpm(60)], [rpm(200), tpm(40_000)]]),
    congestion: oneOf([null, CONGESTION]),
    outages: draw() < 0.5 ? null : { ...OPENAI_OUTAGES, gapWeibullScaleH: 0.1, durationLnHMean: -3.5 },
    priceMultiplier: oneOf([1, 1.1]),
    contextTokens: oneOf([2000, 400_000]),
    ...randomForm(forms),
  });
}

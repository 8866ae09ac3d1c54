/**
 * Tables of the strategies: every number is an estimate of the summary with its interval below it. Strategies are the
 * columns, because there are few of them and because a phone shows few columns.
 */
import type { RequestClass, ResolvedExperiment } from "../scenario/resolved.ts";
import {
  showsMoney,
  type Estimate,
  type LatencySummary,
  type OfferSummary,
  type RequestCounts,
  type StrategySummary,
} from "../experiment/findings.ts";
import type { Summary } from "../decision/summary.ts";
import {
  type Bounds,
  chosen,
  count,
  dateText,
  durationMs,
  type Format,
  hours,
  intervalText,
  lengthText,
  NOT_NEGATIVE,
  percent,
  ratePerS,
  SHARE,
  usd,
  within,
} from "./format.ts";
import type { Cell, StrategyView, TableView, Tone } from "./model.ts";
import { attained, judgedPercentile, missedTarget, side, toneOf } from "./targets.ts";

type Row = TableView["rows"][number];
type Column = TableView["columns"][number];

export function cell(text: string, note: string | null = null, tone: Tone | null = null): Cell {
  return { text, note, tone };
}

/** An estimate with its interval; `unknown` says why there is none. Shares are cut at 0 and 1, amounts that cannot be negative at 0. */
export function estimateCell(
  estimate: Estimate | null,
  format: Format,
  bounds: Bounds = NOT_NEGATIVE,
  tone: Tone | null = null,
  unknown = "too few requests",
): Cell {
  if (estimate === null) return cell("–", unknown, "muted");
  return cell(format(estimate.mean), intervalText(within(estimate, bounds), format), tone);
}

export function strategyColumns(
  first: string,
  strategies: readonly StrategySummary[],
  views: readonly StrategyView[],
): Column[] {
  return [
    { label: first, note: null, color: null, numeric: false },
    ...strategies.map((strategy) => {
      const view = views.find((candidate) => candidate.name === strategy.name);
      return {
        label: strategy.title,
        note: strategy.counterfactual ? "counterfactual" : null,
        color: view?.color ?? null,
        numeric: true,
      };
    }),
  ];
}

export function group(header: string, note: string | null = null): Row {
  return { header, note, color: null, cells: [] };
}

/** Cost, service level, latency and request counts of some strategies side by side. */
export function comparisonTable(
  summary: Summary,
  experiment: ResolvedExperiment,
  views: readonly StrategyView[],
  permitted: boolean,
): TableView | null {
  const strategies = summary.strategies.filter((strategy) => strategy.permitted === permitted);
  if (strategies.length === 0) return null;
  const row = (header: string, note: string | null, of: (strategy: StrategySummary) => Cell): Row => ({
    header,
    note,
    color: null,
    cells: strategies.map(of),
  });
  const ttftTarget = commonTarget(experiment.classes, "ttftS");
  const tpotTarget = commonTarget(experiment.classes, "tpotS");
  const e2eTarget = commonTarget(experiment.classes, "e2eS");
  const ranks = views.map((view) => view.rank);
  const rankCell = (strategy: StrategySummary): Cell => {
    const rank = views.find((view) => view.name === strategy.name)?.rank ?? null;
    const text = rank === null ? "–" : `${rank}${ranks.filter((other) => other === rank).length > 1 ? " =" : ""}`;
    return missedTarget(strategy, experiment.classes) === null ? cell(text) : cell(text, "misses its target", "bad");
  };
  const cost: Row[] = [
    group("Cost"),
    ...(permitted ? [row("Rank on cost", "= shared: not to be told apart", rankCell)] : []),
    row("Per month", null, (strategy) => estimateCell(strategy.usdPerMonth, usd)),
    row("Per 1M output tokens", null, (strategy) => estimateCell(strategy.usdPerMTokOutput, usd)),
    row("Per request", null, (strategy) => estimateCell(strategy.usdPerRequest, usd)),
    row("Per request within SLO", null, (strategy) => estimateCell(strategy.usdPerSloMetRequest, usd)),
  ];
  const service: Row[] = [
    group("Service level"),
    row("SLO attainment", "share of requests", (strategy) => estimateCell(strategy.sloAttainment, percent, SHARE)),
    row("Goodput", "requests within SLO", (strategy) => estimateCell(strategy.goodputPerS, ratePerS)),
  ];
  const latency = (
    title: string,
    note: string,
    of: (strategy: StrategySummary) => LatencySummary,
    target: CommonTarget | null,
  ): Row[] => [
    group(title, target === null ? note : `${note}; target ${chosen(durationMs)(target.ms)}`),
    ...(["mean", "p50", "p95", "p99"] as const).map((key) =>
      row(key === "mean" ? "Mean" : key.toUpperCase(), null, (strategy) => {
        const estimate = of(strategy)[key];
        const judged = target !== null && key === target.percentile;
        return estimateCell(
          estimate,
          durationMs,
          NOT_NEGATIVE,
          judged ? toneOf(side(estimate, target.ms, "below")) : null,
        );
      }),
    ),
  ];
  return {
    caption: permitted
      ? "Mean over replications with 95 % interval"
      : "As simulated, without the requests that were refused",
    columns: strategyColumns("", strategies, views),
    rows: [
      ...(showsMoney(summary) ? cost : []),
      ...service,
      ...latency("Time to first token (TTFT)", "over completed requests", (strategy) => strategy.ttftMs, ttftTarget),
      // Apart from the ranking the token pace of a strategy that cannot be chosen says little.
      ...(permitted
        ? [
            ...latency(
              "Time per output token (TPOT)",
              "over completed requests",
              (strategy) => strategy.tpotMs,
              tpotTarget,
            ),
            ...latency("Gap between tokens (ITL)", "over gaps", (strategy) => strategy.itlMs, null),
          ]
        : []),
      ...latency("End to end (E2E)", "over completed requests", (strategy) => strategy.e2eMs, e2eTarget),
      group("Requests", `mean per replication of ${lengthText(summary.horizonDays)}`),
      ...requestRows(strategies),
    ],
    layout: "compare",
  };
}

interface CommonTarget {
  readonly ms: number;
  /** Null where the classes name different ones. */
  readonly percentile: ReturnType<typeof judgedPercentile>;
}

/** The target of all classes; null where they differ or none is set. */
function commonTarget(classes: readonly RequestClass[], key: "ttftS" | "tpotS" | "e2eS"): CommonTarget | null {
  const first = classes[0]?.slo;
  const seconds = first?.[key] ?? null;
  if (first === undefined || seconds === null || classes.some(({ slo }) => slo[key] !== seconds)) return null;
  const same = classes.every(({ slo }) => slo.targetFraction === first.targetFraction);
  return { ms: seconds * 1000, percentile: same ? judgedPercentile(first) : null };
}

const ENDS: readonly (readonly [keyof RequestCounts, string, string | null])[] = [
  ["sent", "Sent", null],
  ["completed", "Completed", null],
  ["sloMet", "… within SLO", null],
  ["rejected", "Rejected", "by us, or 429 to the last retry"],
  ["timedOut", "Timed out", "client deadline"],
  ["failed", "Failed", "server error"],
  ["boundaryRefused", "Boundary refused", "may not leave"],
  ["inFlightAtHorizon", "In flight at the end", null],
  ["overdueAtHorizon", "… overdue", "past a target: missed"],
  ["retried", "Retries", "attempts beyond the first"],
  ["rateLimited", "429 answers", "attempts"],
  ["overflowed", "Overflowed", "to the next target"],
  ["blockedByBoundary", "Blocked by the boundary", "a barred target would have taken them"],
  ["redacted", "Redacted", "before they left"],
  ["notCleanable", "… not cleanable", "stay inside"],
];

/** Left out where no strategy has any. */
const SELDOM: ReadonlySet<keyof RequestCounts> = new Set([
  "blockedByBoundary",
  "redacted",
  "notCleanable",
  "overdueAtHorizon",
]);

function requestRows(strategies: readonly StrategySummary[]): Row[] {
  const shown = ENDS.filter(
    ([key]) => !SELDOM.has(key) || strategies.some((strategy) => strategy.requests[key].mean > 0),
  );
  const thinks = strategies.some((strategy) => strategy.reasoningTokens.mean > 0);
  const tokenRows: Row[] = thinks
    ? (
        [
          ["outputTokens", "Output tokens", "of completed requests"],
          ["reasoningTokens", "… thinking", "billed, not seen"],
        ] as const
      ).map(([key, header, note]) => ({
        header,
        note,
        color: null,
        cells: strategies.map((strategy) => estimateCell(strategy[key], count)),
      }))
    : [];
  const requests = shown.map(([key, header, note]) => ({
    header,
    note,
    color: null,
    cells: strategies.map((strategy) => estimateCell(strategy.requests[key], count)),
  }));
  return [...requests, ...tokenRows];
}

/** The percentile of latency that a class is shown at: the one that its target is judged by, P99 without one. */
function shownPercentile(target: RequestClass | undefined): "p50" | "p95" | "p99" {
  return (target === undefined ? null : judgedPercentile(target.slo)) ?? "p99";
}

/** Each class under each strategy against its own targets. */
export function classTable(
  summary: Summary,
  experiment: ResolvedExperiment,
  views: readonly StrategyView[],
): TableView {
  const money = showsMoney(summary);
  const [common, ...different] = new Set(experiment.classes.map(shownPercentile));
  const same = common !== undefined && different.length === 0;
  const rows = summary.strategies.flatMap((strategy) => [
    {
      ...group(strategy.title, strategy.permitted ? null : "not permitted"),
      color: views.find((view) => view.name === strategy.name)?.color ?? null,
    },
    ...strategy.classes.map((entry): Row => {
      const target = experiment.classes.find((candidate) => candidate.name === entry.name);
      if (entry.barred !== null) {
        return {
          header: entry.name,
          note: entry.barred,
          color: null,
          cells: [
            cell("not permitted", null, "bad"),
            ...Array.from({ length: money ? 5 : 4 }, () => cell("–", null, "muted")),
          ],
        };
      }
      const latencyCell = (latency: LatencySummary, limitS: number | null | undefined): Cell => {
        const percentile = shownPercentile(target);
        const estimate = latency[percentile];
        const judged = target !== undefined && judgedPercentile(target.slo) !== null;
        const where = judged && typeof limitS === "number" ? side(estimate, limitS * 1000, "below") : "unknown";
        const figure = estimateCell(estimate, durationMs, NOT_NEGATIVE, toneOf(where));
        return same ? figure : { ...figure, note: [percentile.toUpperCase(), figure.note ?? ""].join(" ").trim() };
      };
      const estimate = target === undefined ? entry.sloAttainment : attained(entry, target);
      const attainment = target === undefined ? "unknown" : side(estimate, target.slo.targetFraction, "above");
      return {
        header: entry.name,
        note: target === undefined ? null : sloText(target),
        color: null,
        cells: [
          estimateCell(estimate, percent, SHARE, toneOf(attainment)),
          latencyCell(entry.ttftMs, target?.slo.ttftS),
          latencyCell(entry.tpotMs, target?.slo.tpotS),
          estimateCell(entry.goodputPerS, ratePerS),
          ...(money ? [estimateCell(entry.usdPerMonth, usd)] : []),
          estimateCell(entry.controlledShare, percent, SHARE),
        ],
      };
    }),
  ]);
  const at = same ? ` ${common.toUpperCase()}` : "";
  const numeric = (label: string): Column => ({ label, note: null, color: null, numeric: true });
  return {
    caption: "Classes under each strategy; red: beyond the target, amber: the interval holds the target",
    columns: [
      { label: "Class and its SLO", note: null, color: null, numeric: false },
      ...["SLO attainment", `TTFT${at}`, `TPOT${at}`, "Goodput"].map(numeric),
      ...(money ? [numeric("Cost per month")] : []),
      numeric("On own GPUs"),
    ],
    rows,
    layout: "cards",
  };
}

/** `99 % of requests: TTFT ≤ 3 s, TPOT ≤ 80 ms`. */
function sloText({ slo }: RequestClass): string {
  const targets = (["ttftS", "tpotS", "e2eS"] as const).flatMap((key) => {
    const seconds = slo[key];
    return seconds === null ? [] : [`${key.slice(0, -1).toUpperCase()} ≤ ${chosen(durationMs)(seconds * 1000)}`];
  });
  const basis = slo.attainBasis === "windows" ? "one-minute windows" : "requests";
  return targets.length === 0
    ? "no target"
    : `${chosen(percent)(slo.targetFraction)} of ${basis}: ${targets.join(", ")}`;
}

/** Replica-hours, load and failures of every pool. */
export function poolTable(summary: Summary, views: readonly StrategyView[]): TableView {
  const pools = summary.strategies.flatMap((strategy) => strategy.pools.map((pool) => ({ strategy, pool })));
  const row = (header: string, note: string | null, of: (pool: (typeof pools)[number]["pool"]) => Cell): Row => ({
    header,
    note,
    color: null,
    cells: pools.map((entry) => of(entry.pool)),
  });
  /** A row only where a pool has the figure. */
  const optionalShare = (
    header: string,
    note: string,
    of: (pool: (typeof pools)[number]["pool"]) => Estimate | null,
  ): Row[] => {
    if (pools.every(({ pool }) => of(pool) === null)) return [];
    return [
      row(header, note, (pool) => {
        const share = of(pool);
        return share === null ? cell("–", null, "muted") : estimateCell(share, percent, SHARE);
      }),
    ];
  };
  const ofServing = (share: Estimate | null): Cell => estimateCell(share, percent, SHARE, null, "never served");
  const ofPaid = (part: Estimate, paid: Estimate): Cell =>
    cell(hours(part.mean), paid.mean > 0 ? percent(part.mean / paid.mean) : null);
  return {
    caption: "Own GPUs over the horizon: mean over replications with share of paid, or 95 % interval",
    columns: [
      { label: "", note: null, color: null, numeric: false },
      ...pools.map(({ strategy, pool }) => ({
        label: strategy.title,
        note: pool.name,
        color: views.find((view) => view.name === strategy.name)?.color ?? null,
        numeric: true,
      })),
    ],
    rows: [
      row("Model", null, (pool) => cell(pool.model)),
      row("Replicas", "serving + warm", (pool) =>
        cell(`${pool.replicas} + ${pool.warmReplicas}`, `${pool.gpusPerReplica} × ${pool.gpu} each`),
      ),
      row("Scheduler", null, (pool) => ({ ...cell(pool.scheduler), words: true })),
      ...(pools.every(({ pool }) => pool.managed === null)
        ? []
        : [row("Run by", null, (pool) => cell(pool.managed ?? "own people"))]),
      group("Replica-hours", "paid = busy + idle + warm + down"),
      row("Paid", null, (pool) => estimateCell(pool.paidReplicaH, hours)),
      row("Busy", null, (pool) => ofPaid(pool.busyReplicaH, pool.paidReplicaH)),
      row("Idle", null, (pool) => ofPaid(pool.idleReplicaH, pool.paidReplicaH)),
      row("Warm", null, (pool) => ofPaid(pool.warmReplicaH, pool.paidReplicaH)),
      row("Down", null, (pool) => ofPaid(pool.downReplicaH, pool.paidReplicaH)),
      group("Load of serving replicas"),
      row("Busy", "time stepping", (pool) => ofServing(pool.busyFraction)),
      row("Occupancy", "sequences ÷ maximum", (pool) => ofServing(pool.occupancyFraction)),
      row("KV fraction", "tokens held ÷ capacity", (pool) => ofServing(pool.kvFraction)),
      row("SLO utilization (uSLO)", "capacity used at the SLO", (pool) =>
        pool.uSlo === null ? cell("–", "not measured", "muted") : estimateCell(pool.uSlo, percent, SHARE),
      ),
      row("Rate at the SLO", "per replica", (pool) =>
        pool.sloRatePerReplica === null ? cell("–", "not measured", "muted") : cell(ratePerS(pool.sloRatePerReplica)),
      ),
      group("Failures"),
      row("Incidents", null, (pool) => estimateCell(pool.incidents, count)),
      ...(pools.every(({ pool }) => pool.coldStarts === null)
        ? []
        : [
            row("Cold starts", "requests that waited for one", (pool) =>
              pool.coldStarts === null || pool.coldStartRequests === null
                ? cell("–", null, "muted")
                : cell(count(pool.coldStarts.mean), count(pool.coldStartRequests.mean)),
            ),
          ]),
      row("Preemptions", null, (pool) => estimateCell(pool.preemptions, count)),
      ...optionalShare("Prefix cache hits", "of prompt tokens", (pool) => pool.prefixHitFraction),
      ...optionalShare("Drafts accepted", "of draft tokens", (pool) => pool.draftAcceptedFraction),
    ],
    layout: "compare",
  };
}

/** What the API offers answered, attempts counted. */
export function offerTable(summary: Summary, views: readonly StrategyView[]): TableView {
  const offers = summary.strategies.flatMap((strategy) =>
    strategy.offers.map((offer) => ({
      strategy,
      offer,
      target: strategy.targets.find(({ kind, name }) => kind === "offer" && name === offer.name) ?? null,
    })),
  );
  const row = (header: string, note: string | null, of: (offer: (typeof offers)[number]["offer"]) => Cell): Row => ({
    header,
    note,
    color: null,
    cells: offers.map((entry) => of(entry.offer)),
  });
  /** A row only where an offer has the figure. */
  const optional = (
    header: string,
    note: string,
    of: (offer: (typeof offers)[number]["offer"]) => Cell | null,
  ): Row[] =>
    offers.every(({ offer }) => of(offer) === null)
      ? []
      : [row(header, note, (offer) => of(offer) ?? cell("–", null, "muted"))];
  // What happens in strategies that ask for it alone.
  const counted = (
    header: string,
    note: string | null,
    key: "timedOut" | "abandoned" | "skipped" | "breakerOpenMinutes" | "hedges" | "hedgesWon" | "unusedUsdPerMonth",
    format: (value: number) => string = count,
  ): Row[] => {
    const cells = offers.map(({ target }) => target?.[key] ?? null);
    if (cells.every((value) => value === null || value.mean === 0)) return [];
    const none = cell("–", "none", "muted");
    return [{ header, note, color: null, cells: cells.map((value) => (value ? estimateCell(value, format) : none)) }];
  };
  return {
    caption: "API offers: attempts and their answers, mean per replication",
    columns: [
      { label: "", note: null, color: null, numeric: false },
      ...offers.map(({ strategy, offer }) => ({
        label: strategy.title,
        note: offer.name,
        color: views.find((view) => view.name === strategy.name)?.color ?? null,
        numeric: true,
      })),
    ],
    rows: [
      ...(offers.every(({ offer }) => offer.form === "pay-as-you-go")
        ? []
        : [row("Form", null, (offer) => cell(offer.form.replaceAll("-", " ")))]),
      ...optional("Provisioned units", "and the share of them that was used", ({ units, utilizationFraction }) =>
        units === null || utilizationFraction === null ? null : cell(count(units), percent(utilizationFraction.mean)),
      ),
      row("Attempts", null, (offer) => estimateCell(offer.attempts, count)),
      row("429 rate limited", null, (offer) => estimateCell(offer.rateLimited, count)),
      ...optional("by limit", "which had the longest wait", (offer) => {
        const text = refusalText(offer);
        return text === null ? null : cell(text);
      }),
      row("Overloaded", null, (offer) => estimateCell(offer.overloaded, count)),
      ...optional("Batch jobs expired", "handed in, not done in time", ({ expired }) =>
        expired === null ? null : estimateCell(expired, count),
      ),
      row("Failed in an outage", null, (offer) => estimateCell(offer.outageFailures, count)),
      ...counted("Ended by the client", "attempts over its limit", "timedOut"),
      ...counted("Abandoned", "users who left before a token", "abandoned"),
      ...counted("Not asked", "breaker open", "skipped"),
      ...counted("Breaker open", "minutes", "breakerOpenMinutes"),
      ...counted("Hedges", "second attempts", "hedges"),
      ...counted("Hedges that won", null, "hedgesWon"),
      ...counted("Paid for nothing", "USD a month, answers that no client got whole", "unusedUsdPerMonth"),
      row("Outages", null, (offer) => estimateCell(offer.outages, count)),
      row("Availability", "of the offer", (offer) => estimateCell(offer.availabilityFraction, percent, SHARE)),
      row("Price as of", null, (offer) => cell(dateText(offer.priceAsOf))),
    ],
    layout: "compare",
  };
}

/** `rpm 12, tpm 1.3k`; a limit that refused nothing is left out. */
/** Null where no limit refused. */
function refusalText({ rateLimitedBy }: OfferSummary): string | null {
  const refused = Object.entries(rateLimitedBy).filter(([, { mean }]) => mean > 0);
  return refused.map(([name, { mean }]) => `${name} ${count(mean)}`).join(", ") || null;
}

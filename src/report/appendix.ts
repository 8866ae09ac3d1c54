/** What a reader needs to check the answer: evidence records, the run itself, definitions. */
import type { EvidenceRecord } from "../decision/evidence.ts";
import type { Estimate } from "../experiment/findings.ts";
import {
  count,
  type Format,
  list,
  NOT_NEGATIVE,
  percent,
  plain,
  plural,
  ratePerS,
  significant,
  usd,
} from "./format.ts";
import type { Cell, ReportInput, ReportModel, TableView } from "./model.ts";
import { optionTitle } from "./strategies.ts";
import { cell, estimateCell } from "./tables.ts";

/** More ids than this stand in a list of their own, which records with the same ones share. */
const MOST_IDS = 3;

/** The records, and the lists of assumptions that they rest on, numbered as they first appear. */
function recordsView(records: readonly EvidenceRecord[]): ReportModel["appendix"]["evidence"] {
  const lists = new Map<string, readonly string[]>();
  for (const { assumptions } of records)
    if (assumptions.length > MOST_IDS) lists.set(assumptions.join("\n"), assumptions);
  const keys = [...lists.keys()];
  const restsOn = ({ assumptions }: EvidenceRecord): string[] => {
    if (assumptions.length === 0) return [];
    if (assumptions.length <= MOST_IDS) return [`rests on ${list(assumptions)}`];
    return [`rests on the ${assumptions.length} values of list ${keys.indexOf(assumptions.join("\n")) + 1}`];
  };
  return {
    records: recordsTable(records, restsOn),
    bases: [...lists.values()].map((ids, i) => ({
      title: `List ${i + 1}: ${ids.length} assumed or unverified values`,
      ids,
    })),
  };
}

function recordsTable(
  records: readonly EvidenceRecord[],
  restsOn: (record: EvidenceRecord) => readonly string[],
): TableView {
  const text = (label: string): { label: string; note: null; color: null; numeric: boolean } => ({
    label,
    note: null,
    color: null,
    numeric: false,
  });
  return {
    caption: `Evidence records (${records.length})`,
    columns: [
      text("Record"),
      text("Value"),
      text("Statement"),
      { ...text("Estimate"), numeric: true },
      { ...text("Threshold"), numeric: true },
    ],
    rows: records.map((record) => {
      const format = formatOf(record.metric);
      const number = (value: number | null): string => (value === null ? "–" : format(value));
      const seeds = record.seeds > 0 ? [plural(record.seeds, "replication")] : [];
      return {
        header: `${record.node} · ${record.segment}${record.option === null ? "" : ` · ${optionTitle(record.option)}`}`,
        note: record.id,
        color: null,
        cells: [
          cell(record.value, record.kind),
          cell(
            record.statement,
            [record.metric, ...seeds, ...restsOn(record)].filter((part) => part !== "").join(" · "),
          ),
          cell(
            number(record.estimate),
            record.ci95 === null ? null : `${number(record.ci95[0])} – ${number(record.ci95[1])}`,
          ),
          cell(
            number(record.threshold),
            record.distanceToThreshold === null ? null : `distance ${number(record.distanceToThreshold)}`,
          ),
        ],
      };
    }),
    layout: "cards",
  };
}

/** By the name of a record's metric: shares in percent, money in dollars. */
function formatOf(metric: string): Format {
  if (/^(attain|wape|uSlo)/.test(metric)) return percent;
  return metric.startsWith("usd") ? usd : (value) => significant(value).replace("-", "−");
}

function keyValues(caption: string, rows: readonly (readonly [string, string, string | null])[]): TableView {
  const text = (label: string): { label: string; note: null; color: null; numeric: boolean } => ({
    label,
    note: null,
    color: null,
    numeric: false,
  });
  return {
    caption,
    columns: [text(""), text("Value")],
    rows: rows.map(([header, value, note]) => ({ header, note: null, color: null, cells: [cell(value, note)] })),
    layout: "compare",
  };
}

/** How hashes name files of `--models`. */
const OWN_ENTRIES = "override:";

export function appendixView({ summary, experiment, manifest }: ReportInput): ReportModel["appendix"] {
  const { demand } = summary;
  // Some two hundred files come with the version; what the user puts in their place is told one by one.
  const files = Object.entries(manifest.catalogueHashes);
  const own = files.filter(([name]) => name.startsWith(OWN_ENTRIES));
  const shipped = files.filter(([name]) => !name.startsWith(OWN_ENTRIES));
  const text = { note: null, color: null };
  return {
    evidence: recordsView(summary.records),
    run: keyValues("Run manifest", [
      ["Run", manifest.runId, null],
      ["Version", manifest.version, null],
      ["Experiment", summary.experiment, null],
      ["As of", summary.asOf, "every age in this report counts to this date"],
      ["Seed", manifest.seed, null],
      ["Replications", String(summary.replications), `${experiment.replications} asked for`],
      ["Requests simulated", count(summary.requestsSimulated), "all strategies and replications, warm-up included"],
      ["Team", experiment.team?.preset ?? "none given", null],
      ["Client", experiment.client.name, null],
      [
        "Catalogue",
        `${plural(shipped.length, "file")} of version ${manifest.version}`,
        "manifest.json has the SHA-256 of each",
      ],
      ...own.map(([name, hash]): [string, string, string] => [
        `Own entries ${name.slice(OWN_ENTRIES.length)}`,
        hash,
        "SHA-256",
      ]),
    ]),
    demand: {
      caption: "Demand as simulated",
      columns: [
        { label: "", numeric: false, ...text },
        { label: "Value", numeric: true, ...text },
      ],
      rows: [
        { header: "Requests per second", ...text, cells: [estimateCell(demand.requestsPerS, ratePerS)] },
        {
          header: "Peak to mean",
          ...text,
          note: "99.9th percentile of 5-minute rates ÷ mean",
          cells: [measured(demand.peakToMean, plain)],
        },
        {
          header: "Forecast error (WAPE)",
          ...text,
          note: "seasonal naive, 5-minute bins",
          cells: [measured(demand.wape, percent)],
        },
        {
          header: "Dispersion in 60 s",
          ...text,
          note: "variance ÷ mean; 1 = Poisson",
          cells: [measured(demand.dispersion60s, plain)],
        },
      ],
      layout: "compare",
    },
    definitions: DEFINITIONS,
    replayCommand: manifest.replayCommand,
  };
}

/** A measure of the traffic, which a short run may not have. */
function measured(estimate: Estimate | null, format: Format): Cell {
  return estimateCell(estimate, format, NOT_NEGATIVE, null, "too short");
}

const DEFINITIONS: ReportModel["appendix"]["definitions"] = [
  {
    term: "Interval",
    text: "95 % Student-t over independent replications; with one replication there is none. Shares are cut at 0 and 100 %, amounts at 0. All strategies get the same traffic and the same luck, so differences are paired.",
  },
  {
    term: "TTFT",
    text: "Time to first token: from the client's first send to the first token it can see; admission, queue, retries, prefill and network included.",
  },
  {
    term: "TPOT",
    text: "Time per output token, one value per request: (E2E − TTFT) ÷ (output tokens − 1). Its percentiles count requests.",
  },
  {
    term: "ITL",
    text: "Inter-token latency, one value per gap between two tokens. Its percentiles count gaps, so long answers weigh more.",
  },
  { term: "E2E", text: "From the first send to the last token, retries included." },
  {
    term: "Percentile denominators",
    text: "Latency percentiles count completed requests only (ITL: their gaps), from a sketch with 1 % relative error; a P99 needs 1,000 samples. Requests that were rejected, timed out or failed show in the SLO attainment instead.",
  },
  {
    term: "Hourly P99",
    text: "Each hour's P99 over all classes and targets is interpolated from their own P50, P95 and P99, weighted by completed requests: exact with one of them, otherwise between the lowest and the highest. A gap in the line: no request completed in that hour.",
  },
  {
    term: "SLO attainment",
    text: "Requests that met every target of their class ÷ (met + missed + rejected + timed out + failed + overdue at the end: in flight with a target that has passed). On the basis of windows: share of one-minute windows (merged until 20 requests) whose percentile meets every target.",
  },
  { term: "Goodput", text: "Requests per second that met every target of their class." },
  {
    term: "Rejected, timed out, failed",
    text: "Refused by us, or by a 429 after the last retry; ended by the client's deadline; ended by a server error. Boundary refused: no place of the strategy may take the class.",
  },
  { term: "Incident, outage", text: "Incidents are ours (node failure, engine crash), outages are the provider's." },
  {
    term: "Busy",
    text: "Share of a serving replica's time in which it runs steps. It says nothing of how full the steps are.",
  },
  { term: "Occupancy", text: "Sequences in the running batch ÷ the maximum." },
  {
    term: "KV fraction",
    text: "Tokens held in the KV cache ÷ its capacity in tokens, over serving time; partly filled blocks count by their tokens.",
  },
  { term: "Warm", text: "Loaded and paid for, not serving: it takes over when a replica is lost." },
  { term: "SLO utilization (uSLO)", text: "Work served ÷ the work that the paid replicas could serve at the SLO." },
  {
    term: "Tree",
    text: "T1 must the data stay inside? T2 is a latency target out of the API's reach? T3a is volume high and steady? T3 is own capacity cheaper beyond the margin? T4 is something needed that APIs lack? T5 can the team run it? Unknown counts as no.",
  },
];

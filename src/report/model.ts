/**
 * The report as plain JSON: what `buildReport` computes and `renderReport` draws. Text is unescaped; numbers of charts
 * are raw with their unit in the name, everything else is already written for people.
 */
import type { NodeValue } from "../decision/evidence.ts";
import type { ResolvedExperiment } from "../scenario/resolved.ts";
import type { RunSeries } from "../outcome/series.ts";
import type { Summary } from "../decision/summary.ts";
import type { Expectation } from "./expectation.ts";

export interface ReportInput {
  readonly summary: Summary;
  readonly experiment: ResolvedExperiment;
  readonly series: readonly RunSeries[];
  readonly manifest: ReportManifest;
}

interface ReportManifest {
  readonly runId: string;
  readonly version: string;
  readonly replayCommand: string;
  readonly seed: string;
  /** Hash by catalogue file or folder. */
  readonly catalogueHashes: Readonly<Record<string, string>>;
}

export type Tone = "bad" | "warn" | "good" | "muted";

export interface Cell {
  readonly text: string;
  /** Second, quieter line: an interval, a share. */
  readonly note: string | null;
  readonly tone: Tone | null;
  /** Rows of the table that the cell stands for, itself and those below, whose own cells end before this column; 1 if left out. */
  readonly rows?: number;
  /** Words, which may break over lines where numbers may not. */
  readonly words?: boolean;
}

export interface TableView {
  readonly caption: string;
  /** The first column is the row's header. */
  readonly columns: readonly {
    readonly label: string;
    readonly note: string | null;
    readonly color: string | null;
    readonly numeric: boolean;
  }[];
  /** A row without cells is a heading over the rows below it. */
  readonly rows: readonly {
    readonly header: string;
    readonly note: string | null;
    readonly color: string | null;
    readonly cells: readonly Cell[];
  }[];
  /** `compare`: few numeric columns, notes beside the numbers where there is room. `cards`: on a phone each row becomes a card. */
  readonly layout: "compare" | "cards";
}

export interface Banner {
  readonly tone: "bad" | "warn" | "info";
  readonly title: string;
  readonly lines: readonly string[];
}

/** One strategy as every part of the report names, colours and orders it. */
export interface StrategyView {
  readonly name: string;
  readonly title: string;
  readonly color: string;
  readonly permitted: boolean;
  readonly counterfactual: boolean;
  /** 1 = cheapest of the permitted ones that miss no target, which come before those that do; strategies that cost cannot tell apart share a rank. Null: not permitted or counterfactual, so not ranked. */
  readonly rank: number | null;
  /** `Misses its target: …`, or `May miss …` where the interval reaches to the target; null where it meets all. */
  readonly missed: string | null;
  /** `class …: reason` for each class it may not take. */
  readonly barred: readonly string[];
  /** The figures of the first page; empty where the strategy is not permitted. */
  readonly figures: readonly { readonly value: string; readonly label: string }[];
}

export interface TreeNodeView {
  readonly node: string;
  readonly label: string;
  readonly value: NodeValue;
  /** The node would change the choice if taken as yes. */
  readonly decides: boolean;
}

export interface SegmentView {
  readonly name: string;
  readonly share: string;
  readonly choice: string;
  readonly color: string;
  readonly rule: string;
  readonly reason: string;
  readonly path: readonly TreeNodeView[];
  /** Statements of this segment's evidence records: one per record, none without. */
  readonly evidence: readonly {
    readonly id: string;
    readonly node: string;
    readonly value: NodeValue;
    readonly statement: string;
  }[];
  /** Label and text: depends on, passed over, clash, revisit … */
  readonly notes: readonly { readonly label: string; readonly lines: readonly string[] }[];
}

export interface VerdictView {
  readonly name: string;
  readonly sentence: string;
  /** Which other strategies cost as much; null where none does. */
  readonly costTie: string | null;
  /** What it leaves undone, and who does it; null where it keeps all targets. */
  readonly targetUnmet: string | null;
  readonly color: string;
  readonly indicative: string | null;
  readonly controlledShare: string | null;
  readonly literal: string | null;
  readonly unknownNodes: readonly string[];
  readonly forces: readonly string[];
  /** Said only when the record of every node is there and none of them is yes. */
  readonly noForces: string | null;
  readonly segments: readonly SegmentView[];
}

/** A chart's words: the finding as headline, how to read it below. */
export interface ChartWords {
  readonly headline: string;
  readonly subtitle: string;
  /** What the picture shows, for those who do not see it. */
  readonly alt: string;
}

interface CostBar {
  readonly title: string;
  readonly color: string;
  readonly permitted: boolean;
  readonly usdPerMonth: number;
  readonly loUsd: number | null;
  readonly hiUsd: number | null;
  readonly label: string;
  readonly parts: readonly { readonly label: string; readonly color: string; readonly usdPerMonth: number }[];
  /** Bars of their own below the total, drawn even at zero. */
  readonly own: readonly {
    readonly label: string;
    readonly color: string;
    readonly usdPerMonth: number;
    readonly text: string;
  }[];
}

export interface CostChart extends ChartWords {
  readonly bars: readonly CostBar[];
  readonly legend: readonly { readonly label: string; readonly color: string }[];
}

export interface MonthChart extends ChartWords {
  readonly months: readonly string[];
  readonly bars: readonly {
    readonly month: string;
    readonly title: string;
    readonly color: string;
    readonly usd: number;
    readonly loUsd: number | null;
    readonly hiUsd: number | null;
    readonly label: string;
  }[];
}

export interface HourPoint {
  /** Hours since t = 0: the middle of the point's bucket. */
  readonly hour: number;
  readonly value: number | null;
  readonly lo: number | null;
  readonly hi: number | null;
}

export interface EventMark {
  readonly startH: number;
  readonly endH: number;
  readonly whose: "own" | "provider";
  readonly label: string | null;
}

export interface LatencyPanel {
  readonly title: string;
  readonly color: string;
  readonly wide: readonly HourPoint[];
  readonly narrow: readonly HourPoint[];
  readonly events: readonly EventMark[];
  readonly note: string;
}

export interface LatencyChart extends ChartWords {
  readonly panels: readonly LatencyPanel[];
  readonly slos: readonly { readonly ms: number; readonly label: string }[];
  readonly scale: "linear" | "log";
  readonly loMs: number;
  readonly hiMs: number;
  readonly startEpochS: number;
  readonly horizonH: number;
}

export interface PoolPanel {
  readonly title: string;
  readonly color: string;
  readonly wide: readonly PoolPoint[];
  readonly narrow: readonly PoolPoint[];
  readonly note: string;
}

/** Mean replicas in each state over the bucket. */
export interface PoolPoint {
  readonly hour: number;
  readonly busy: number;
  readonly idle: number;
  readonly warm: number;
  readonly down: number;
}

export interface PoolChart extends ChartWords {
  readonly panels: readonly PoolPanel[];
  readonly startEpochS: number;
  readonly horizonH: number;
}

export interface OutcomeChart extends ChartWords {
  readonly bars: readonly {
    readonly title: string;
    readonly color: string;
    readonly parts: readonly {
      readonly label: string;
      readonly color: string;
      readonly share: number;
      readonly text: string;
    }[];
  }[];
  readonly legend: readonly { readonly label: string; readonly color: string }[];
}

export interface DifferenceChart extends ChartWords {
  readonly rows: readonly {
    readonly label: string;
    readonly color: string;
    readonly usdPerMonth: number;
    readonly loUsd: number | null;
    readonly hiUsd: number | null;
    readonly text: string;
  }[];
}

export interface AssumptionsView {
  readonly headline: string;
  /** What to look at first; null where there is nothing of the kind. */
  readonly first: TableView | null;
  /** All others. `note` says how many of each kind there are. */
  readonly subjects: readonly { readonly title: string; readonly note: string; readonly table: TableView }[];
}

export interface ReportModel {
  readonly title: string;
  readonly question: string;
  readonly expectation: Expectation;
  readonly facts: readonly string[];
  readonly banners: readonly Banner[];
  readonly strategies: readonly StrategyView[];
  readonly verdict: VerdictView | null;
  /** False: the parts about cost are left out. */
  readonly showsMoney: boolean;
  readonly comparison: {
    readonly permitted: TableView | null;
    readonly notPermitted: TableView | null;
    readonly classes: TableView;
  };
  readonly cost: CostChart;
  readonly costTable: TableView;
  /** Null where the horizon is too short for months to be compared. */
  readonly months: MonthChart | null;
  readonly latency: LatencyChart;
  readonly pools: PoolChart;
  readonly poolTable: TableView;
  readonly outcomes: OutcomeChart;
  readonly offerTable: TableView;
  readonly differences: DifferenceChart;
  readonly assumptions: AssumptionsView;
  readonly appendix: {
    readonly evidence: {
      readonly records: TableView;
      /** Ids of assumptions that several records rest on. */
      readonly bases: readonly { readonly title: string; readonly ids: readonly string[] }[];
    };
    readonly run: TableView;
    readonly demand: TableView;
    readonly definitions: readonly { readonly term: string; readonly text: string }[];
    readonly replayCommand: string;
  };
}

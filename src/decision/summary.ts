/** `summary.json`: what an experiment found, and what is to be done about it. */
import type { Findings } from "../experiment/findings.ts";
import type { EvidenceRecord, Option, VerdictName, WorkloadVerdict } from "./evidence.ts";

export interface Summary extends Findings {
  readonly verdict: WorkloadVerdict | null;
  readonly records: readonly EvidenceRecord[];
  readonly remarks: VerdictRemarks;
}

/** Sentences that belong below the verdict. */
export interface VerdictRemarks {
  /** Other strategies cost as much as the one that shows the verdict; null where none does. */
  readonly costTie: string | null;
  /** The strategy that shows the verdict misses a target, or may, and who keeps it; null where it keeps all. */
  readonly targetUnmet: TargetRemark | null;
  /** By name of the permitted strategies that miss a target, or may. */
  readonly missedTargets: readonly TargetRemark[];
}

/** About one strategy, by its name. */
interface TargetRemark {
  readonly strategy: string;
  readonly sentence: string;
}

/** The strategies that show what a verdict costs, and what they do. */
const SHOWN_BY: Readonly<Record<Exclude<VerdictName, "conflict">, { readonly option: Option; readonly does: string }>> =
  {
    "api-first": { option: "api", does: "serves all by an API" },
    hybrid: { option: "split", does: "has own capacity and an API" },
    "self-hosted": { option: "self", does: "serves all on own GPUs" },
    "private-controlled": { option: "private_managed", does: "serves all on private capacity run by a vendor" },
  };

/** The option of the strategies that show what the verdict costs; null where none can. */
export function shownBy(verdict: Pick<WorkloadVerdict, "verdict"> | null): Option | null {
  return verdict === null || verdict.verdict === "conflict" ? null : SHOWN_BY[verdict.verdict].option;
}

/** A sentence where the verdict names a way to serve that no strategy tried: the rules alone led to it, and it has no price. */
export function verdictNotSimulated({ verdict, strategies }: Pick<Summary, "verdict" | "strategies">): string | null {
  if (verdict === null || verdict.verdict === "conflict") return null;
  const { option, does } = SHOWN_BY[verdict.verdict];
  if (strategies.some((strategy) => strategy.option === option)) return null;
  return `No strategy of this experiment ${does}: what the verdict would cost and how well it would serve was not simulated.`;
}

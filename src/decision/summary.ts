/** `summary.json`: what an experiment found, and what is to be done about it. */
import type { Findings } from "../experiment/findings.ts";
import type { EvidenceRecord, WorkloadVerdict } from "./evidence.ts";

export interface Summary extends Findings {
  readonly verdict: WorkloadVerdict | null;
  readonly records: readonly EvidenceRecord[];
}

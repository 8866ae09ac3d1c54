/** Why a rule chose what it chose, why it passed over the rest, and when to look again. USD a month, fractions. */
import type { DecisionThresholds } from "../scenario/resolved.ts";
import type { EvidenceTerm, Option } from "./evidence.ts";
import type { Facts } from "./facts.ts";
import type { Cause, RuleOutcome } from "./rules.ts";
import { capitalize, decimal, isOrAre, list, optionName, percent, ratio, usdPerMonth } from "./wording.ts";

const REASONS: Readonly<Record<Cause, string>> = {
  "no-option": "no option is left: its constraints exclude each other",
  "only-option": "the only option open",
  default: "no forcing function and no advantage: default",
  boundary: "its data may not leave the boundary",
  must: "it must have control that the API does not offer",
  latency: "the API misses its strict latency target and this option meets it",
  economics: "own GPUs are cheaper by the margin on steady, high volume",
  soft: "it would gain from control that the API does not offer",
  "no-own-option": "a reason exists, but no open option of ours answers it: default",
  capability: "a reason exists, but the team is not shown to be able to operate own GPUs: default until it is",
};

export function ruleReason({ cause }: RuleOutcome): string {
  return REASONS[cause];
}

/** Why an open option was not taken. */
export function passedOverReason(
  facts: Facts,
  option: Option,
  { choice, rule, cause }: RuleOutcome,
  { softPremium }: DecisionThresholds,
): string {
  if (option === "self") {
    if (facts.capability !== "yes" && rule !== 2) return "the team is not shown to be able to operate them";
    if (choice === "split") return `all of it would cost more than ${ratio(softPremium)} times the API`;
    if (choice === "private_managed") return "they are not shown to meet the strict latency target";
    return "nothing forces them and they have no shown cost advantage";
  }
  if (option === "private_managed") {
    if (choice === "self") return "own GPUs answer the same reason and the team can operate them";
    return "no hard reason calls for it, and cost alone never selects it";
  }
  if (option === "split") {
    if (choice === "api") return "nothing that the team can answer asks for controlled capacity";
    if (cause === "latency") return "the part on the API would still miss the strict latency target";
    return "the whole segment is better off on controlled capacity";
  }
  if (cause === "latency") return "it misses the strict latency target";
  if (cause === "economics") return "own GPUs are cheaper by the margin";
  return "it lacks control that the segment would gain from";
}

/** What would have to change before another choice is worth a look. */
export function revisitLines(facts: Facts, outcome: RuleOutcome, thresholds: DecisionThresholds): string[] {
  const lines: string[] = [];
  if (outcome.rule === 4 || (outcome.cause === "no-option" && facts.open.includes("self"))) {
    const short = facts.capabilityTerms.filter(({ value }) => value === "no" || value === "unknown").map(shortfall);
    lines.push(`capability: reconsider own GPUs once ${list(short)}`);
  }
  const now = facts.costRatio?.estimate ?? null;
  if (outcome.choice === "api" && facts.cheaper === "no" && now !== null) {
    const most = ratio(1 - thresholds.marginFraction);
    lines.push(
      `economics: reconsider own GPUs if their cost stays at or below ${most} times that of the API for two months (now ${ratio(now)})`,
    );
  }
  return lines;
}

function shortfall({ metric, estimate, threshold }: EvidenceTerm): string {
  const now = estimate ?? 0;
  const needed = threshold ?? 0;
  switch (metric) {
    case "lowestGateLevel":
      return `observability, release and incident coverage are at level ${decimal(needed, 2)} or above (lowest now: ${decimal(now, 2)})`;
    case "meanTeamLevel":
      return `the mean of the six team levels is ${decimal(needed, 2)} (now ${decimal(now, 2)})`;
    case "attainWithTeam":
      return `attainment with this team is shown to reach ${percent(needed)} (now ${percent(now)})`;
    default:
      return "the on-call rota is sustainable";
  }
}

/** Lines that do not change the choice but that its reader should know. */
export function advisoryLines(facts: Facts, open: readonly Option[], outcome: RuleOutcome, missed: boolean): string[] {
  const { choice } = outcome;
  const lines: string[] = [];
  if (choice === "conflict") return lines;
  if (missed) {
    const meets = open.filter((option) => (facts.attain[option]?.estimate ?? 0) >= facts.target);
    const names = list(meets.map((option) => optionName(option)));
    lines.push(
      meets.length === 0
        ? `no open option meets the strict target of ${percent(facts.target)}`
        : `the choice misses the strict target of ${percent(facts.target)}, which ${names} would meet`,
    );
  }
  const vendor = limits(facts.usdPerMonth.private_managed);
  const chosen = limits(facts.usdPerMonth[choice]);
  const meets = (facts.attain.private_managed?.estimate ?? 0) >= facts.target || facts.segment.latency?.strict !== true;
  if (choice !== "private_managed" && open.includes("private_managed") && meets && vendor !== null && chosen !== null) {
    if (vendor.hi < chosen.lo) {
      const name = capitalize(optionName("private_managed"));
      const [theirs, ours] = [usdPerMonth(vendor.mean), usdPerMonth(chosen.mean)];
      const verb = isOrAre(choice) === "are" ? "cost" : "costs";
      lines.push(`${name} meets every constraint at ${theirs}, while ${optionName(choice)} ${verb} ${ours}`);
    }
  }
  return lines;
}

function limits(term: EvidenceTerm | null): { mean: number; lo: number; hi: number } | null {
  if (term === null || term.estimate === null) return null;
  const [lo, hi] = term.ci95 ?? [term.estimate, term.estimate];
  return { mean: term.estimate, lo, hi };
}

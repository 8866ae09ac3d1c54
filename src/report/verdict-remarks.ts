/**
 * What stands below the verdict, in `summary.json`, in the terminal and on the page alike: which other strategy costs as much as the one that
 * shows the verdict, which keeps the targets that it misses, and who misses a target.
 */
import { answeredShare } from "../decision/from-summary.ts";
import { ALL_ANSWERED } from "../decision/statements.ts";
import { shownBy, type Summary, type VerdictRemarks } from "../decision/summary.ts";
import type { ResolvedExperiment } from "../scenario/resolved.ts";
import { percent, shortList, usd } from "./format.ts";
import { choosable, choosableByCost, costOrder, pairedDifference, titleOf, usdOf } from "./strategies.ts";
import { judgements, missesOrMay, missSentence } from "./targets.ts";

type Asked = Pick<ResolvedExperiment, "classes" | "thresholds">;

/** The remarks on a summary that has none yet. */
export function verdictRemarks(summary: Omit<Summary, "remarks">, { classes, thresholds }: Asked): VerdictRemarks {
  return {
    costTie: costTie(summary, classes, thresholds.marginFraction),
    targetUnmet: targetUnmet(summary, classes),
    missedTargets: summary.strategies.flatMap((strategy) => {
      const sentence = strategy.permitted ? missSentence(strategy, classes) : null;
      return sentence === null ? [] : [{ strategy: strategy.name, sentence }];
    }),
  };
}

/**
 * Permitted strategies whose cost the replications do not tell apart from that of the one that shows the verdict, and those that
 * differ by less than `marginFraction` of it. Null where there are none, no cost or no verdict that a strategy shows.
 */
function costTie(summary: Omit<Summary, "remarks">, classes: Asked["classes"], marginFraction: number): string | null {
  const shown = shownStrategy(summary, classes);
  if (shown === undefined || shown.usdPerMonth === null) return null;
  const others = choosable(summary).filter((strategy) => strategy !== shown);
  const tied = others.filter((other) => costOrder(summary, shown, other) === "unclear");
  const close = others.flatMap((other) => {
    const more = pairedDifference(summary, other.name, shown.name)?.mean ?? usdOf(other) - usdOf(shown);
    const share = Math.abs(more) / usdOf(shown);
    if (tied.includes(other) || !(share < marginFraction)) return [];
    return [`${titleOf(other)} costs ${percent(share)} ${more < 0 ? "less" : "more"}`];
  });
  const sentences = [
    ...(tied.length === 0
      ? []
      : [
          `The runs do not tell ${priced(shown)} apart on cost from ${shortList(tied.map(priced))}: the interval of the difference holds zero.`,
        ]),
    ...(close.length === 0
      ? []
      : [
          `${shortList(close)} than ${titleOf(shown)}: not more than the margin of ${percent(marginFraction)} that counts as an advantage here.`,
        ]),
  ];
  return sentences.length === 0 ? null : sentences.join(" ");
}

/** The verdict follows from what forces it, and a target that is not strict forces nothing: who reads it must know what it leaves undone. */
function targetUnmet(summary: Omit<Summary, "remarks">, classes: Asked["classes"]): VerdictRemarks["targetUnmet"] {
  const shown = shownStrategy(summary, classes);
  const missed = shown === undefined ? null : missSentence(shown, classes);
  if (shown === undefined || missed === null) return null;
  const answered = answeredShare(shown.requests) ?? 1;
  const cost =
    answered < ALL_ANSWERED ? `, and its cost is of the ${percent(answered)} of requests that it answers` : "";
  const others = choosable(summary).filter((other) => missSentence(other, classes) === null);
  const keeps = (other: Summary["strategies"][number]): boolean =>
    judgements(other, classes).every(({ side }) => side === "within");
  const sure = others.filter(keeps).map(priced);
  const open = others.filter((other) => !keeps(other)).map(priced);
  const kept = [
    ...(sure.length === 0 ? [] : [`${shortList(sure)} ${sure.length === 1 ? "keeps" : "keep"} all targets`]),
    ...(open.length === 0 ? [] : [`${shortList(open)} may keep ${sure.length === 0 ? "all targets" : "them"}`]),
  ];
  const who = kept.length === 0 ? "No other permitted strategy keeps all targets" : kept.join("; ");
  const strict = judgements(shown, classes).every((one) => !missesOrMay(one) || one.target.slo.strict);
  const hint = strict ? "" : " A target decides the verdict only where it is declared strict (slo.strict).";
  const misses = `${missed.charAt(0).toLowerCase()}${missed.slice(1)}`;
  return { strategy: shown.name, sentence: `${titleOf(shown)} ${misses}${cost}. ${who}.${hint}` };
}

/** The strategy that shows what the verdict costs; undefined where none does. */
function shownStrategy(
  summary: Omit<Summary, "remarks">,
  classes: Asked["classes"],
): Summary["strategies"][number] | undefined {
  const option = shownBy(summary.verdict);
  return choosableByCost(summary, classes).find((strategy) => strategy.option === option);
}

function priced(strategy: Summary["strategies"][number]): string {
  return strategy.usdPerMonth === null ? titleOf(strategy) : `${titleOf(strategy)} (${usd(usdOf(strategy))} a month)`;
}

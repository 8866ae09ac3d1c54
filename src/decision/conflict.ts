/**
 * A conflict is a result: the smallest set of named constraints that together leaves no option, and what comes back when
 * one of them is relaxed. Costs in USD a month.
 */
import type { ConflictRecord } from "./evidence.ts";
import type { Facts } from "./facts.ts";
import type { Removal } from "./filter.ts";
import { BASE_OPTIONS } from "./inputs.ts";
import type { BaseOption } from "./inputs.ts";

/**
 * Clash and relaxations of a segment in conflict. Among smallest sets the first in the order sensitivity,
 * boundary-place, quality, musts as declared, team. The cost is that of the cheapest option that returns, if simulated.
 */
export function conflictOf(facts: Facts): ConflictRecord {
  const blocks = blocksOf(facts);
  const named = new Set(blocks.flatMap((block) => block.constraints));
  const musts = facts.segment.customization.map((need) => `must:${need.name}`);
  const constraints = ["sensitivity", "boundary-place", "quality", ...new Set(musts), "team"].filter((name) =>
    named.has(name),
  );
  const clash = smallestClash(constraints, blocks);
  const relaxations = clash.map((constraint) => {
    const returns = left(blocks, (name) => name !== constraint);
    const costs = returns.flatMap((option) => facts.usdPerMonth[option]?.estimate ?? []);
    return { constraint, returns, usdPerMonth: costs.length === 0 ? null : Math.min(...costs) };
  });
  return { clash, relaxations };
}

/** Everything that keeps an option from being taken: the removals of T0, and the team for own GPUs. */
function blocksOf(facts: Facts): readonly Removal[] {
  if (facts.capability === "yes") return facts.removed;
  return [...facts.removed, { option: "self", constraints: ["team"], reason: "the team cannot operate own GPUs" }];
}

/** Options left if only the constraints of `active` hold. */
function left(blocks: readonly Removal[], active: (constraint: string) => boolean): BaseOption[] {
  return BASE_OPTIONS.filter(
    (option) => !blocks.some((block) => block.option === option && block.constraints.every(active)),
  );
}

function smallestClash(constraints: readonly string[], blocks: readonly Removal[]): readonly string[] {
  for (let size = 1; size <= constraints.length; size++) {
    for (const set of combinations(constraints, size)) {
      if (left(blocks, (constraint) => set.includes(constraint)).length === 0) return set;
    }
  }
  return constraints;
}

/** Sets of `size` in the order of their members. */
function* combinations(items: readonly string[], size: number): Generator<readonly string[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let first = 0; first + size <= items.length; first++) {
    const head = items.slice(first, first + 1);
    for (const rest of combinations(items.slice(first + 1), size - 1)) yield [...head, ...rest];
  }
}

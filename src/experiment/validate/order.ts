/** Whether cases that a source compares with each other come out in the measured order. */
import type { CaseResult, Comparison, PoolName } from "./result.ts";

/** Pairs of one group, over all metrics that both cases have, as a whole and stage by stage: how many are ordered as measured. */
export interface OrderResult {
  readonly group: string;
  readonly pool: PoolName;
  readonly cases: number;
  readonly pairs: number;
  readonly right: number;
}

/** Pairs within each `compareGroup` and pool. Pairs that were measured equal are not counted. */
export function predictedOrder(cases: readonly CaseResult[]): OrderResult[] {
  const groups = new Map<string, CaseResult[]>();
  for (const one of cases) {
    if (one.compareGroup === null || one.pool === null) continue;
    const key = JSON.stringify([one.compareGroup, one.pool]);
    const group = groups.get(key) ?? [];
    group.push(one);
    groups.set(key, group);
  }
  return [...groups.values()].map((group) => {
    let pairs = 0;
    let right = 0;
    group.forEach((a, i) => {
      for (const b of group.slice(i + 1))
        for (const [one, other] of [[a, b] as const, ...stagePairs(a, b)])
          for (const metric of Object.keys(one.errors)) {
            if (other.errors[metric] === undefined || one.measured[metric] === other.measured[metric]) continue;
            pairs++;
            const measured = Math.sign(one.measured[metric]! - other.measured[metric]!);
            if (Math.sign(one.predicted[metric]! - other.predicted[metric]!) === measured) right++;
          }
    });
    const { compareGroup, pool } = group[0]!;
    return { group: compareGroup!, pool: pool!, cases: group.length, pairs, right };
  });
}

/** Stages in their order; loads with other numbers of stages have none that answer each other. */
function stagePairs(a: CaseResult, b: CaseResult): readonly (readonly [Comparison, Comparison])[] {
  return a.byStage.length === b.byStage.length ? a.byStage.map((stage, i) => [stage, b.byStage[i]!] as const) : [];
}

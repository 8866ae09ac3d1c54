/** Whether cases that a source compares with each other come out in the measured order. */
import type { CaseResult, PoolName } from "./result.ts";

/** Pairs of one group, over all metrics that both cases have: how many are ordered as measured. */
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
        for (const metric of Object.keys(a.errors)) {
          if (b.errors[metric] === undefined || a.measured[metric] === b.measured[metric]) continue;
          pairs++;
          const measured = Math.sign(a.measured[metric]! - b.measured[metric]!);
          if (Math.sign(a.predicted[metric]! - b.predicted[metric]!) === measured) right++;
        }
    });
    const { compareGroup, pool } = group[0]!;
    return { group: compareGroup!, pool: pool!, cases: group.length, pairs, right };
  });
}

/** What of the step times rests on no measurement, for those who read no report: a line for each reason, with the pools it concerns. */

interface Pool {
  readonly name: string;
  readonly outsideValidatedRange: string | null;
}

export function notValidated(
  strategies: readonly { readonly name: string; readonly pools: readonly Pool[] }[],
): string[] {
  const poolsBy = new Map<string, string[]>();
  for (const strategy of strategies)
    for (const { name, outsideValidatedRange: reason } of strategy.pools)
      if (reason !== null) poolsBy.set(reason, [...(poolsBy.get(reason) ?? []), `${strategy.name} (${name})`]);
  return [...poolsBy].map(([reason, pools]) => `${pools.join(", ")}: ${reason}`);
}

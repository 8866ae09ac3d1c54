/**
 * Puts the tiers of `limits/` into the offers they are for, and checks that every limit of a tier has a rule. A tier that an
 * offer has itself goes before one of the same name that was found by its model.
 */
import { hintFor } from "./nearest.ts";
import type { CatalogEntry } from "./schema.ts";

type Offer = CatalogEntry<"offers">;
type Limits = CatalogEntry<"limits">;
type Providers = ReadonlyMap<string, CatalogEntry<"providers">>;
type Report = (file: string, path: readonly (string | number)[], message: string, hint?: string) => void;

/** Does `pattern`, in which * stands for any characters, describe the whole name? */
export function matches(pattern: string, name: string): boolean {
  const [head = "", ...parts] = pattern.split("*");
  if (parts.length === 0) return head === name;
  const tail = parts.pop()!;
  if (!name.startsWith(head) || !name.endsWith(tail) || name.length < head.length + tail.length) return false;
  let at = head.length;
  for (const part of parts) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= name.length - tail.length;
}

/** Of the offer, with those of `limits/` that its provider has for its model. */
export function tiersOf(offer: Offer, limits: Iterable<Limits>): Offer["tiers"] {
  const model = offer.id.slice(offer.id.indexOf("/") + 1);
  const found = new Map<string, { readonly length: number; readonly row: Offer["tiers"][string] }>();
  for (const entry of limits) {
    if (entry.provider !== offer.provider) continue;
    for (const { models, tier, ...row } of entry.rows) {
      // The longest pattern of this row that fits: the more it says, the more it is about this model.
      const length = Math.max(-1, ...models.filter((name) => matches(name, model)).map((name) => name.length));
      if (length < 0 || length <= (found.get(tier)?.length ?? -1)) continue;
      const { source, asOf, kind, unverified = entry.unverified } = row;
      const origin = { source: source ?? entry.source, asOf: asOf ?? entry.asOf, kind: kind ?? entry.kind };
      found.set(tier, { length, row: { ...row, ...origin, ...(unverified === undefined ? {} : { unverified }) } });
    }
  }
  const own = Object.entries(offer.tiers);
  const fromLimits = [...found].map(([tier, { row }]) => [tier, row] as const);
  // A tier without limits says that none are known: not so when some are.
  const kept = fromLimits.length === 0 ? own : own.filter(([, tier]) => Object.keys(tier.limits).length > 0);
  return Object.fromEntries([...fromLimits, ...kept]);
}

/** Every limit of a tier needs the provider's rule of that name: otherwise nobody knows what it charges. */
export function checkTiers(
  offers: Iterable<Offer>,
  limits: Iterable<Limits>,
  providers: Providers,
  report: Report,
): void {
  const check = (file: string, path: readonly (string | number)[], provider: string, tier: Offer["tiers"][string]) => {
    const rules = providers.get(provider)?.limitRules;
    if (rules === undefined) return;
    for (const part of ["limits", "rules"] as const) {
      for (const name of Object.keys(tier[part] ?? {})) {
        if (Object.hasOwn(rules, name)) continue;
        const message = `${provider} has no limit rule of this name`;
        report(file, [...path, part, name], message, hintFor(name, Object.keys(rules)));
      }
    }
  };
  for (const { file, provider, tiers } of offers) {
    for (const [name, tier] of Object.entries(tiers)) check(file, ["tiers", name], provider, tier);
  }
  for (const { file, provider, rows } of limits) {
    rows.forEach(({ models: _models, tier: _tier, ...row }, i) => check(file, ["rows", i], provider, row));
  }
}

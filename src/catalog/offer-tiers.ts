/**
 * Joins `limits/` with the providers and offers they are for: rules go into the provider's entry, tiers into the offers whose
 * model they name. What an entry has itself goes before what was found for it.
 */
import type { LimitRuleEntry } from "./entries-limits.ts";
import { hintFor } from "./nearest.ts";
import { originOf, rowOriginOf } from "./origin.ts";
import type { CatalogEntry } from "./schema.ts";

type Offer = CatalogEntry<"offers">;
type Provider = CatalogEntry<"providers">;
type Limits = CatalogEntry<"limits">;
type Tier = Offer["tiers"][string];
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

/** Length of the longest pattern that describes the offer's model, −1 for none: the longer, the more it is about it. */
function fit(patterns: readonly string[], offer: Pick<Offer, "id">): number {
  const model = offer.id.slice(offer.id.indexOf("/") + 1);
  return Math.max(-1, ...patterns.filter((pattern) => matches(pattern, model)).map((pattern) => pattern.length));
}

/** The provider with the rules that `limits/` has for it, each with its origin. */
export function withRules(provider: Provider, limits: Iterable<Limits>): Provider {
  let { limitRules, fields } = provider;
  for (const entry of limits) {
    if (entry.provider !== provider.id) continue;
    const rules = Object.entries(entry.rules).map(([name, rule]) => {
      const origin = rowOriginOf(entry, `rules.${name}`, rule);
      return [name, { ...rule, ...origin }] as const;
    });
    limitRules = { ...Object.fromEntries(rules), ...limitRules };
    // Single values of a rule that have an origin of their own keep it, by the path that they have now.
    const single = Object.keys(entry.fields ?? {}).filter((path) => /^rules\.[^.]+\./.test(path));
    fields = {
      ...Object.fromEntries(single.map((path) => [`limitR${path.slice(1)}`, originOf(entry, path)])),
      ...fields,
    };
  }
  return fields === undefined || Object.keys(fields).length === 0
    ? { ...provider, limitRules }
    : { ...provider, limitRules, fields };
}

/** The offer with the tiers that `limits/` has for its model. */
export function withTiers(offer: Offer, limits: Iterable<Limits>): Offer {
  const found = new Map<string, { readonly length: number; readonly row: Tier }>();
  for (const entry of limits) {
    if (entry.provider !== offer.provider) continue;
    entry.rows.forEach(({ models, tier, ...row }, i) => {
      const length = fit(models, offer);
      if (length < 0 || length <= (found.get(tier)?.length ?? -1)) return;
      found.set(tier, { length, row: { ...row, ...rowOriginOf(entry, `rows.${i}`, row) } });
    });
  }
  if (found.size === 0) return offer;
  // A tier without limits says that none are known: not so when some are.
  const own = Object.entries(offer.tiers).filter(([, tier]) => Object.keys(tier.limits).length > 0);
  return {
    ...offer,
    tiers: Object.fromEntries([...[...found].map(([tier, { row }]) => [tier, row] as const), ...own]),
  };
}

/** The rule of a limit as it is for the offer's model. */
export function ruleFor(
  name: string,
  offer: Pick<Offer, "id" | "provider">,
  provider: Provider,
  limits: Iterable<Limits>,
): LimitRuleEntry {
  const rule = provider.limitRules[name]!; // checked when the catalogue was built
  let best = -1;
  let change: Limits["changes"][number]["rules"][string] = {};
  for (const entry of limits) {
    if (entry.provider !== offer.provider) continue;
    for (const { models, rules } of entry.changes) {
      const length = rules[name] === undefined ? -1 : fit(models, offer);
      if (length <= best) continue;
      best = length;
      change = rules[name]!;
    }
  }
  const { reserve = rule.reserve, settle = rule.settle, scope = rule.scope } = change;
  return { ...rule, reserve, settle, ...(scope === undefined ? {} : { scope }) };
}

/** Every limit of a tier needs a rule of its name: otherwise nobody knows what it charges. */
export function checkTiers(
  offers: Iterable<Offer>,
  limits: Iterable<Limits>,
  providers: ReadonlyMap<string, Provider>,
  report: Report,
): void {
  const check = (
    file: string,
    path: readonly (string | number)[],
    provider: string,
    named: Readonly<Record<string, unknown>>,
  ): void => {
    const rules = providers.get(provider)?.limitRules;
    if (rules === undefined) return;
    for (const name of Object.keys(named)) {
      if (Object.hasOwn(rules, name)) continue;
      const message = `${provider} has no limit rule of this name`;
      report(file, [...path, name], message, hintFor(name, Object.keys(rules)));
    }
  };
  for (const { file, provider, tiers } of offers) {
    for (const [name, tier] of Object.entries(tiers)) check(file, ["tiers", name, "limits"], provider, tier.limits);
  }
  for (const { file, provider, rows, changes } of limits) {
    rows.forEach((row, i) => check(file, ["rows", i, "limits"], provider, row.limits));
    changes.forEach((change, i) => check(file, ["changes", i, "rules"], provider, change.rules));
  }
}

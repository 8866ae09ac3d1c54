/**
 * Builds the catalogue from parsed documents and looks names up in it. All problems of all documents are collected and
 * thrown together as one ConfigError; nothing here reads files or knows a clock.
 */
import { ConfigError, type Problem } from "../kernel/errors.ts";
import { explained, valueAt } from "./explain.ts";
import { hintFor } from "./nearest.ts";
import { layeredOffers, type LayeredOffer } from "./offer-layers.ts";
import { checkTiers, withRules, withTiers } from "./offer-tiers.ts";
import { CATALOG_KINDS, KINDS, type Catalog, type CatalogEntry, type CatalogKind } from "./schema.ts";

/**
 * One parsed file. `override` documents replace shipped entries of the same kind and id as a whole, except that offers are laid
 * over each other (`offer-layers.ts`).
 */
export interface CatalogDocument {
  readonly kind: CatalogKind;
  readonly file: string;
  readonly value: unknown;
  readonly override: boolean;
}

type AnyEntry = CatalogEntry<CatalogKind>;

interface Reference {
  readonly to: CatalogKind;
  readonly name: string;
  readonly path: readonly (string | number)[];
  /** For incidents: the type that the entry must be of. */
  readonly type?: CatalogEntry<"incidents">["type"];
}

/** Names in one entry that must exist in another kind. Checked only if that kind was loaded. */
function referencesOf(entry: AnyEntry): Reference[] {
  const out: Reference[] = [];
  const add = (to: CatalogKind, name: string, ...path: (string | number)[]) => out.push({ to, name, path });
  const incident = (type: CatalogEntry<"incidents">["type"], name: string, ...path: (string | number)[]) =>
    out.push({ to: "incidents", name, path, type });

  if ("architectureOf" in entry && entry.architectureOf !== undefined)
    add("llms", entry.architectureOf, "architectureOf");
  if ("sameChipAs" in entry && entry.sameChipAs !== undefined)
    entry.sameChipAs.forEach((gpu, i) => add("gpus", gpu, "sameChipAs", i));
  if ("rows" in entry && !("provider" in entry)) entry.rows.forEach((row, i) => add("gpus", row.gpu, "rows", i, "gpu"));
  if ("sets" in entry) {
    entry.sets.forEach((set, i) => {
      if (set.gpu !== undefined) add("gpus", set.gpu, "sets", i, "gpu");
      if (set.llm !== undefined) add("llms", set.llm, "sets", i, "llm");
    });
  }
  if ("outageProfile" in entry) {
    add("outageProfiles", entry.outageProfile, "outageProfile");
    add("congestions", entry.congestion, "congestion");
  }
  if ("rows" in entry && "provider" in entry) add("providers", entry.provider, "provider");
  if ("boundaries" in entry)
    for (const [name, { preset }] of Object.entries(entry.boundaries))
      if (preset !== undefined) add("boundaries", preset, "boundaries", name, "preset");
  if ("latencyClass" in entry) {
    add("latencyClasses", entry.latencyClass, "latencyClass");
    add("providers", entry.provider, "provider");
  }
  if ("form" in entry) add("providers", entry.provider, "provider");
  if ("deployments" in entry)
    entry.models.forEach(({ offer }, i) => {
      if (offer !== undefined) add("offers", offer, "models", i, "offer");
    });
  if ("rates" in entry) entry.rates.forEach((rate, i) => add("gpus", rate.gpu, "rates", i, "gpu"));
  if ("season" in entry && entry.season !== null) add("seasons", entry.season, "season");
  if ("type" in entry && entry.type === "node_failure") entry.gpus.forEach((gpu, i) => add("gpus", gpu, "gpus", i));
  if ("type" in entry && entry.type === "preset") {
    entry.nodeFailure.forEach((name, i) => incident("node_failure", name, "nodeFailure", i));
    for (const [place, name] of Object.entries(entry.nodeRepair)) incident("repair", name, "nodeRepair", place);
    if (entry.engineCrash !== null) incident("engine_crash", entry.engineCrash, "engineCrash");
    incident("repair", entry.engineRestart, "engineRestart");
  }
  return out;
}

type Report = (
  file: string,
  path: readonly (string | number)[],
  message: string,
  hint?: string | undefined,
  onKey?: boolean,
) => void;

function parseDocument(document: CatalogDocument, report: Report): AnyEntry | null {
  const { kind, file, value, override } = document;
  const schema = KINDS[kind].schema;
  const parsed = schema.safeParse(value, { reportInput: true });
  if (!parsed.success) {
    for (const { path, message, hint, onKey } of explained(schema, parsed.error.issues, value))
      report(file, path, message, hint, onKey);
    return null;
  }
  for (const path of Object.keys(parsed.data.fields ?? {})) {
    if (valueAt(parsed.data, path.split(".")) === undefined)
      report(file, ["fields", path], "no such value in this entry", hintFor(path, Object.keys(parsed.data)));
  }
  return { ...parsed.data, file, override } as AnyEntry;
}

/** An offer of its layers; each problem is reported where the value at fault is written. */
function parseOffer(
  { value, file, override, alone, placeOf }: LayeredOffer,
  known: string[],
  report: Report,
): AnyEntry | null {
  if (alone && value["provider"] === undefined) {
    const id = String(value["id"] ?? "");
    const hint =
      hintFor(id, known) ?? "an offer that the catalogue does not have needs provider, model, latencyClass and prices";
    report(file, ["id"], `no offer "${id}" to change`, hint);
    return null;
  }
  return parseDocument({ kind: "offers", file, value, override }, (_, path, message, hint, onKey) => {
    const place = placeOf(path);
    report(place.file, place.path, message, hint, onKey);
  });
}

/**
 * Checks every document and joins them. An override entry replaces the shipped entry of its kind and id; two shipped, or two
 * overriding, entries of one id are a problem, and so is an alias that names two entries.
 * @throws ConfigError with every problem of every document.
 */
export function buildCatalog(documents: readonly CatalogDocument[], asOf: string): Catalog {
  const problems: Problem[] = [];
  const report: Report = (file, path, message, hint, onKey) =>
    problems.push({
      file,
      path,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(onKey === true ? { onKey } : {}),
    });

  const maps = new Map<CatalogKind, Map<string, AnyEntry>>(CATALOG_KINDS.map((kind) => [kind, new Map()]));
  const shippedFirst = [...documents.filter((d) => !d.override), ...documents.filter((d) => d.override)];
  const offers = layeredOffers(
    documents.filter(({ kind }) => kind === "offers"),
    report,
  );
  const ids = offers.filter(({ value }) => value["provider"] !== undefined).map(({ value }) => String(value["id"]));
  const layersOf = new Map<AnyEntry, LayeredOffer>();
  for (const offer of offers) {
    const entry = parseOffer(offer, ids, report);
    if (entry === null) continue;
    maps.get("offers")!.set(entry.id, entry);
    layersOf.set(entry, offer);
  }
  const reportOf = (entry: AnyEntry, path: readonly (string | number)[], message: string, hint?: string): void => {
    const place = layersOf.get(entry)?.placeOf(path) ?? { file: entry.file, path };
    report(place.file, place.path, message, hint);
  };
  for (const document of shippedFirst) {
    if (document.kind === "offers") continue;
    const entry = parseDocument(document, report);
    if (entry === null) continue;
    const entries = maps.get(document.kind)!;
    const before = entries.get(entry.id);
    if (before !== undefined && before.override === entry.override)
      report(entry.file, ["id"], `"${entry.id}" is also in ${before.file}`);
    else entries.set(entry.id, entry);
  }

  for (const entries of maps.values()) {
    const owner = new Map([...entries.values()].map((entry) => [entry.id.toLowerCase(), entry]));
    for (const entry of entries.values()) {
      entry.aliases.forEach((alias, i) => {
        const other = owner.get(alias.toLowerCase());
        if (other !== undefined && other !== entry)
          reportOf(entry, ["aliases", i], `"${alias}" already names ${other.id} (${other.file})`);
        else owner.set(alias.toLowerCase(), entry);
      });
      for (const { to, name, path, type } of referencesOf(entry)) {
        const targets = maps.get(to)!;
        const target = targets.get(name);
        if (target === undefined) {
          if (targets.size === 0) continue;
          reportOf(entry, path, `no "${name}" in ${KINDS[to].folder}/`, hintFor(name, [...targets.keys()]));
        } else if (type !== undefined && "type" in target && target.type !== type) {
          reportOf(entry, path, `"${name}" is of type ${target.type}, not ${type}`);
        }
      }
    }
  }
  joinTiers(maps, report);
  if (problems.length > 0) throw new ConfigError(problems);
  return { ...(Object.fromEntries(maps) as unknown as Omit<Catalog, "asOf">), asOf };
}

/** Rules and tiers of `limits/` become part of the providers and offers they are for. */
function joinTiers(maps: ReadonlyMap<CatalogKind, Map<string, AnyEntry>>, report: Report): void {
  const offers = maps.get("offers")! as Map<string, CatalogEntry<"offers">>;
  const limits = maps.get("limits")! as Map<string, CatalogEntry<"limits">>;
  const providers = maps.get("providers")! as Map<string, CatalogEntry<"providers">>;
  for (const [id, provider] of providers) providers.set(id, withRules(provider, limits.values()));
  checkTiers(offers.values(), limits.values(), providers, report);
  for (const [id, offer] of offers) offers.set(id, withTiers(offer, limits.values()));
}

/** What a person calls an entry of this kind, for messages. */
const NOUN: Record<CatalogKind, string> = {
  gpus: "GPU",
  llms: "model",
  engines: "engine profile",
  coefficients: "coefficient file",
  gpuPrices: "GPU price",
  providers: "provider",
  offers: "offer",
  limits: "limit table",
  pricePaths: "price path",
  forms: "commercial form",
  provisioned: "provisioned plan",
  managed: "managed preset",
  latencyClasses: "latency class",
  reasoning: "reasoning effort",
  networkPaths: "table of network paths",
  boundaries: "boundary",
  redactions: "redaction step",
  congestions: "congestion chain",
  outageProfiles: "outage profile",
  clients: "client",
  seasons: "season",
  traffic: "traffic preset",
  incidents: "incident entry",
  coldStarts: "cold start",
  places: "place",
  teams: "team preset",
  teamLevels: "team dimension",
  people: "people cost",
};

export type Found<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string; readonly hint?: string };

/** A miss with its nearest known name, or what `otherwise` says, in the form that `Problem` takes. */
export function miss<T>(what: string, name: string, candidates: readonly string[], otherwise?: string): Found<T> {
  const hint = hintFor(name, candidates) ?? otherwise;
  const message = `unknown ${what} "${name}"`;
  return hint === undefined ? { ok: false, message } : { ok: false, message, hint };
}

/** So many ids are still listed in a message. */
const LISTED = 24;

/** Finds an entry by id or alias, without regard to case. Never throws: the caller adds its own path to the problem. */
export function find<K extends CatalogKind>(catalog: Catalog, kind: K, name: string): Found<CatalogEntry<K>> {
  const entries = catalog[kind] as unknown as ReadonlyMap<string, CatalogEntry<K>>;
  const exact = entries.get(name);
  if (exact !== undefined) return { ok: true, value: exact };
  const wanted = name.toLowerCase();
  const names: string[] = [];
  for (const entry of entries.values()) {
    for (const known of [entry.id, ...entry.aliases]) {
      if (known.toLowerCase() === wanted) return { ok: true, value: entry };
      names.push(known);
    }
  }
  const ids = [...entries.keys()];
  const all = ids.length <= LISTED ? `known: ${ids.join(", ")}` : `crossover catalog ${KINDS[kind].folder} lists them`;
  return miss(NOUN[kind], name, names, all);
}

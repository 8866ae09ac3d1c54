/**
 * Every field of a catalogue entry reaches what is simulated, or stands in a list of those that explain. Entries go the way of a
 * user's `--models`: parsed, joined, resolved into experiments that use all of them. A field that is added to a schema fails here
 * until it stands in the small catalogue of the fixture, and moves something there.
 */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { buildCatalog, type CatalogDocument } from "../../src/catalog/catalog.ts";
import { CATALOG_KINDS, KINDS, type Catalog, type CatalogKind } from "../../src/catalog/schema.ts";
import { resolveExperiment } from "../../src/experiment/resolve.ts";
import { ConfigError } from "../../src/kernel/errors.ts";
import { withValue, type Path, type Raw } from "../fixtures/experiment.ts";
import { WHOLE_CATALOG } from "../fixtures/whole-catalog.ts";

/** Where an entry comes from and what it is called: shown, never reckoned with. */
const LABELS = /^(id|aliases\.\*|name)$|^fields\.|(^|\.)(source|asOf|kind|note|unverified)$/;

/** Fields that only explain, or are for another command than `run`; each with who reads it. */
const NOT_SIMULATED: Readonly<Partial<Record<CatalogKind, readonly string[]>>> = {
  // Shown by `catalog`.
  gpus: ["arch", "memoryType", "interconnect", "tdpW"],
  // Counted into params and its parts, which are what is reckoned with.
  llms: ["tiedEmbeddings", "moe.sharedExpertFfnSize", "moe.firstDenseLayers"],
  // Of a calibration, shown by it.
  engines: ["standardErrors.tpreMsPerLayer.dense", "standardErrors.tpreMsPerLayer.moe", "standardErrors.apiOverheadMs"],
  // How good the fit was.
  coefficients: [
    "sets.*.fittedRows",
    "sets.*.fitMapePercent",
    "sets.*.fitMedianPercent",
    "sets.*.validationRows",
    "sets.*.validationMapePercent",
    "sets.*.validationMedianPercent",
    "sets.*.standardErrors.*",
  ],
  gpuPrices: ["seller", "sellerClass", "pricing", "termMonths", "commitment", "rows.*.region", "rows.*.confidence"],
  providers: ["boundaries.*.option", "boundaries.*.preset"],
  // Prices what usage exports tell of.
  forms: ["exportedAs.*"],
  offers: ["pricedAs", "prices.*.otherUnits.*", "tiers.*.qualification"],
  limits: ["rows.*.qualification"],
  provisioned: ["unit"],
  boundaries: ["option", "examples", "privateNetwork", "retention", "trainingUse"],
  latencyClasses: ["examples"],
  traffic: ["trace"],
  // Published times against which the formula is tested.
  coldStarts: ["anchors.*.what", "anchors.*.part", "anchors.*.weightsGB", "anchors.*.lowS", "anchors.*.highS"],
  // Until people are simulated.
  teamLevels: ["anchors.*", "mechanisms.*.*"],
  people: [
    "rota24x7.peopleOneSite",
    "rota24x7.peoplePerSiteTwoSites",
    "rota24x7.maxIncidentsPer12hShift",
    "loadedUsdPerYear.*.low",
    "loadedUsdPerYear.*.high",
  ],
};

/** Fields that cannot change alone: they say which others there are, or add up with them. */
const TOGETHER: Readonly<Partial<Record<CatalogKind, readonly string[]>>> = {
  forms: ["form"],
  provisioned: ["limit.limitKind"],
  incidents: ["type"],
  // Probabilities sum to 1 and name states: `provider-offer.test.ts`.
  congestions: ["states.*.name", "states.*.next.*"],
};

/** Another value for a text, by the value. */
const OTHER: Readonly<Record<string, readonly unknown[]>> = {
  chip: ["plain", "same"],
  same: ["plain"],
  plain: ["chip"],
  dense: ["linear", "experts", "moe"],
  experts: ["linear"],
  linear: ["dense"],
  bf16: ["fp8"],
  vllm: ["sglang"],
  engine: ["global"],
  global: ["engine"],
  all: ["calibration"],
  total: ["free"],
  sum: ["max"],
  shared: ["other"],
  elsewhere: ["other"],
  fits: ["below_limit"],
  below_limit: ["fits"],
  token_bucket: ["debt_bucket"],
  debt_bucket: ["token_bucket"],
  month: [{ windowS: 600 }],
  private_vpc: ["onprem"],
  dedicated_managed: ["onprem"],
  maxOutput: ["output"],
  completed: ["nothing"],
  input: ["requests"],
  rent: ["other"],
  "UTC+3": ["UTC+4"],
  "Europe/Berlin": ["UTC+9"],
  "16:30": ["17:00"],
  "00:30": ["01:00"],
  mon: ["wed"],
  tue: ["wed"],
  "2026-11-20": ["2026-11-21"],
  "2026-11-03": ["2026-11-04"],
  crash: ["rarer"],
  acme: ["rival"],
  "acme/small": ["acme/third"],
  "acme/third": ["acme/small"],
  crowd: ["quiet"],
  "now-and-then": ["often"],
  quick: ["slow"],
  office: ["night"],
  replace: ["reboot"],
  reboot: ["replace"],
  restart: ["reboot"],
  "failure-of-chips": ["failure"],
  anywhere: ["eu"],
  eu: ["us"],
};

const offers: Readonly<Record<string, unknown>> = {
  own: { offer: "acme/small@own", limits: {} },
  bare: "acme/small@bare",
  old: { offer: "acme/old@published", retire: "announced", region: "us" },
  vpc: { offer: "acme/small@own", boundary: "vpc" },
  oldVpc: { offer: "acme/old@published", boundary: "vpc", latency: { class: "quick" } },
  private: { offer: "acme/old@published", boundary: "private" },
  cheaper: { offer: "acme/small@own", pricePath: "cheaper" },
  batch: { offer: "acme/small@own", form: "batch" },
  batchOfTier: { offer: "acme/old@published", form: { kind: "batch", priceMultiplier: 0.5 } },
  batchOfProvider: { offer: "acme/small@bare", form: "batch" },
  flex: { offer: "acme/small@bare", form: "flex" },
  priority: { offer: "acme/small@bare", form: "priority" },
  units: { offer: "acme/small@own", form: { kind: "provisioned", plan: "units-0/model-0" } },
  unitsByOffer: { offer: "acme/third@own", form: "provisioned" },
  unitsApart: { offer: "acme/small@own", form: { kind: "provisioned", plan: "units-1/model-1", reservedUnits: 1 } },
};
const pools: Readonly<Record<string, Raw>> = {
  dense: { llm: "dense", gpu: "chip" },
  small: {
    llm: "dense",
    gpu: "chip",
    weightDtype: "fp8",
    tensorParallelSize: 2,
    place: "onprem",
    gpuPrice: "rent@chip-x8",
    region: "us",
  },
  experts: { llm: "experts", gpu: "chip" },
  expertsOfTheClass: { llm: "experts", gpu: "plain", engine: "of-the-class" },
  linear: { llm: "linear", gpu: "same" },
  denseOfTheClass: { llm: "dense", gpu: "plain", engine: "of-the-class", managed: "vendor", gpuPrice: undefined },
  managed: { llm: "dense", gpu: "chip", managed: "vendor", scaleToZero: { idleMinutes: 5 } },
};
const ownPool = {
  engine: "engine",
  gpuPrice: "rent",
  replicas: 1,
  incidents: "preset",
  coldStart: { profile: "cached" },
};

/** Experiments that use the whole catalogue between them. */
function experiments(): Readonly<Record<"pools" | "offers" | "presets" | "levels", readonly Raw[]>> {
  const routes = { all: ["it"], local: ["it"], clean: ["it"] };
  const ofPools = Object.entries(pools).map(([name, pool]): [string, Raw] => [
    name.toLowerCase(),
    { pools: { it: { ...ownPool, ...pool } }, routes },
  ]);
  const ofOffers = Object.entries(offers).map(([name, offer]): [string, Raw] => [
    name.toLowerCase(),
    { offers: { it: offer }, routes, redaction: "cleaner" },
  ]);
  const whole = {
    id: "whole",
    title: "Whole",
    question: "What moves?",
    start: "2026-11-02",
    days: 21,
    client: "sdk",
    stepTimeError: "drawn",
    team: { preset: "team" },
    classes: [
      { name: "all", share: 0.7, reasoning: "medium", region: "eu" },
      { name: "local", share: 0.1, residency: ["eu"] },
      { name: "clean", share: 0.2, sensitivity: "moderate", redactable: true },
    ],
    traffic: { requestsPerS: 20, input: { kind: "constant", tokens: 900 }, output: { kind: "constant", tokens: 300 } },
  };
  const presets = WHOLE_CATALOG.traffic.map(({ id }) => ({
    ...whole,
    days: 1,
    classes: [{ name: "all", share: 1, reasoning: "share" }],
    traffic: { preset: id, ...(id === "single" ? { requestsPerS: 5 } : {}) },
    strategies: { one: { offers: { api: "acme/small@own" }, routes: { all: ["api"] } } },
  }));
  const teams = ["platform", "gpu_capacity", "observability", "release", "incident_coverage", "perf_engineering"];
  const levels = [0, 1, 2, 3, 4].map((level) => ({
    ...whole,
    team: {
      levels: Object.fromEntries(teams.map((name) => [name, level])),
      incidentsPerMonth: 0.1,
      releasesPerMonth: 0.1,
    },
    strategies: Object.fromEntries(ofPools.slice(0, 1)),
  }));
  return {
    pools: [{ ...whole, strategies: Object.fromEntries(ofPools) }],
    offers: [{ ...whole, strategies: Object.fromEntries(ofOffers) }],
    presets,
    levels,
  };
}
const EXPERIMENTS = experiments();

const OF_POOLS: ReadonlySet<CatalogKind> = new Set([
  "gpus",
  "llms",
  "engines",
  "coefficients",
  "gpuPrices",
  "managed",
  "incidents",
  "coldStarts",
  "places",
  "networkPaths",
]);

/** Those that entries of a kind take part in: fewer are faster. */
function concernedBy(kind: CatalogKind): readonly Raw[] {
  if (kind === "traffic" || kind === "seasons") return EXPERIMENTS.presets;
  if (kind === "people" || kind === "teams") return EXPERIMENTS.levels.concat(EXPERIMENTS.pools);
  return OF_POOLS.has(kind) ? EXPERIMENTS.pools : EXPERIMENTS.offers;
}

function build(documents: Readonly<Record<CatalogKind, readonly Raw[]>>): Catalog {
  const all = CATALOG_KINDS.flatMap((kind) =>
    documents[kind].map((value, i): CatalogDocument => ({ kind, file: `${kind}-${i}`, value, override: true })),
  );
  return buildCatalog(all, "2026-11-01");
}

function soundOrNull(documents: Readonly<Record<CatalogKind, readonly Raw[]>>): Catalog | null {
  try {
    return build(documents);
  } catch (error) {
    if (error instanceof ConfigError) return null;
    throw error;
  }
}

/** What is simulated with this catalogue, or why nothing is; assumptions repeat its values, whether or not they are used. */
function simulated(catalog: Catalog, experiment: Raw): string {
  try {
    const { assumptions: _, ...resolved } = resolveExperiment(experiment, catalog).experiment;
    return JSON.stringify(resolved);
  } catch (error) {
    // A RangeError: without a global set of coefficients nothing is predicted.
    if (error instanceof ConfigError || error instanceof RangeError) return error.message;
    throw error;
  }
}

const before = build(WHOLE_CATALOG);
const base = new Map(
  Object.values(EXPERIMENTS)
    .flat()
    .map((experiment) => [experiment, simulated(before, experiment)]),
);

/** Does a sound catalogue with another value at this place lead to something else? */
function moves(kind: CatalogKind, index: number, path: Path, value: unknown): boolean {
  return alternatives(value).some((other) => {
    const changed = WHOLE_CATALOG[kind].map((entry, i) => (i === index ? withValue(entry, path, other) : entry));
    const catalog = soundOrNull({ ...WHOLE_CATALOG, [kind]: changed });
    return (
      catalog !== null &&
      concernedBy(kind).some((experiment) => simulated(catalog, experiment) !== base.get(experiment))
    );
  });
}

function alternatives(value: unknown): readonly unknown[] {
  if (typeof value === "boolean") return [!value];
  if (typeof value === "number") return [value + 1, value - 1, value * 1.25, value * 0.9];
  return OTHER[String(value)] ?? [`${String(value)}-other`];
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly additionalProperties?: Schema | boolean;
  readonly type?: string;
}

/** Paths of the values that an entry of this schema may have; * stands for a name of the user's or a place in a list. */
function leavesOf(schema: Schema, at: string): string[] {
  const below = (step: string): string => (at === "" ? step : `${at}.${step}`);
  const options = schema.anyOf ?? schema.oneOf;
  if (options !== undefined) return options.flatMap((option) => leavesOf(option, at));
  if (schema.properties !== undefined)
    return Object.entries(schema.properties).flatMap(([name, child]) => leavesOf(child, below(name)));
  if (schema.items !== undefined) return leavesOf(schema.items, below("*"));
  if (typeof schema.additionalProperties === "object") return leavesOf(schema.additionalProperties, below("*"));
  return schema.type === "null" ? [] : [at];
}

/** Values of an entry with their path and that of their schema. */
function valuesOf(value: unknown, known: ReadonlySet<string>, path: Path, at: string): [string, Path, unknown][] {
  if (typeof value !== "object" || value === null)
    return value === null || value === undefined ? [] : [[at, path, value]];
  const isList = Array.isArray(value);
  return Object.entries(value).flatMap(([key, child]) => {
    const named = at === "" ? key : `${at}.${key}`;
    const isKnown = [...known].some((leaf) => leaf === named || leaf.startsWith(`${named}.`));
    const step = isList ? Number(key) : key;
    return valuesOf(child, known, [...path, step], isKnown ? named : at === "" ? "*" : `${at}.*`);
  });
}

describe.each(CATALOG_KINDS)("%s", (kind) => {
  const schema = z.toJSONSchema(KINDS[kind].schema, { io: "input" }) as Schema;
  const leaves = new Set(leavesOf(schema, "").filter((leaf) => !LABELS.test(leaf)));
  const notSimulated = new Set([...(NOT_SIMULATED[kind] ?? []), ...(TOGETHER[kind] ?? [])]);
  const found = new Map<string, [number, Path, unknown][]>();
  WHOLE_CATALOG[kind].forEach((entry, index) => {
    for (const [leaf, path, value] of valuesOf(entry, leaves, [], ""))
      if (leaves.has(leaf)) found.set(leaf, [...(found.get(leaf) ?? []), [index, path, value]]);
  });

  test("the fixture has every field", () => {
    expect([...leaves].filter((leaf) => !found.has(leaf))).toEqual([]);
    expect([...notSimulated].filter((leaf) => !leaves.has(leaf))).toEqual([]);
  });

  test("each moves what is simulated, but for those that explain", { timeout: 120_000 }, () => {
    // One place will do for what is expected to move nothing.
    const places = (leaf: string) => found.get(leaf)!.slice(0, notSimulated.has(leaf) ? 1 : Infinity);
    const still = [...found.keys()].filter(
      (leaf) => !places(leaf).some(([index, path, value]) => moves(kind, index, path, value)),
    );
    expect(still.sort()).toEqual([...notSimulated].sort());
  });
});

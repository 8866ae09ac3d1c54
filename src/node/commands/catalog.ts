/**
 * `crossover catalog [KIND]`: what the catalogue holds, with source, date and age of each entry. Ages count from `--as-of`
 * or the catalogue's own date, never from the clock, so that the same command prints the same tomorrow. Policies and routers
 * are code, not facts: they are listed by `catalog-plugins.ts`.
 */
import { originOf, rowOriginOf, type Origin } from "../../catalog/origin.ts";
import { hintFor } from "../../catalog/nearest.ts";
import { CATALOG_KINDS, KINDS, type Catalog, type CatalogEntry, type CatalogKind } from "../../catalog/schema.ts";
import { epochSOfIso } from "../../kernel/calendar-time.ts";
import { ConfigError } from "../../kernel/errors.ts";
import { ageDays } from "../../report/assumptions.ts";
import { plainNumber } from "../../report/format.ts";
import { loadCatalog } from "../catalog-files.ts";
import { textTable, type Column } from "../text-table.ts";
import { filteredOffers, offersJson, offersText } from "./catalog-offers.ts";
import { isPluginKind, PLUGIN_KINDS, pluginsJson, pluginsText } from "./catalog-plugins.ts";

export interface CatalogOptions {
  readonly json?: boolean;
  /** `--models DIR` */
  readonly models?: string;
  /** `--as-of DATE` */
  readonly asOf?: string;
  /** Of offers: `--date DATE`, `--provider ID`, `--model TEXT`. */
  readonly date?: string;
  readonly provider?: string;
  readonly model?: string;
}

/**
 * Prints one kind as a table, or an overview of all kinds. `kind` is a kind (`gpuPrices`) or its folder (`gpu-prices`), or one of
 * `PLUGIN_KINDS`.
 * @throws ConfigError for an unknown kind, a date that is none, or a catalogue with problems.
 */
export async function catalogCommand(
  kind: string | undefined,
  options: CatalogOptions,
  out: (text: string) => void,
): Promise<void> {
  if (kind !== undefined && isPluginKind(kind)) {
    out(options.json === true ? pluginsJson(kind) : pluginsText(kind));
    return;
  }
  const wanted = kind === undefined ? CATALOG_KINDS : [kindNamed(kind)];
  const ofOffers = ["date", "provider", "model"] as const;
  for (const [option, date] of [
    ["--as-of", options.asOf],
    ["--date", options.date],
  ] as const) {
    if (date !== undefined && epochSOfIso(date) === null)
      throw new ConfigError([{ path: [option], message: `"${date}" is no date`, hint: "for example 2026-11-24" }]);
  }
  const misplaced = wanted[0] === "offers" ? undefined : ofOffers.find((option) => options[option] !== undefined);
  if (misplaced !== undefined)
    throw new ConfigError([{ path: [`--${misplaced}`], message: "is of offers", hint: "crossover catalog offers" }]);
  const { catalog } = await loadCatalog(wanted, options.models);
  const asOf = options.asOf ?? catalog.asOf;
  if (wanted[0] === "offers") {
    const offers = filteredOffers(catalog, options);
    const date = options.date ?? asOf;
    if (options.json !== true) out(offersText(offers, date, asOf));
    else out(`${JSON.stringify({ asOf, date, offers: offersJson(offers, date, asOf) }, null, 2)}\n`);
  } else if (options.json === true) {
    const entries = wanted.map((name) => [name, [...catalog[name].values()].map((entry) => withAge(entry, asOf))]);
    out(`${JSON.stringify({ asOf, ...Object.fromEntries(entries) }, null, 2)}\n`);
  } else if (kind === undefined) {
    out(overview(catalog, asOf));
  } else {
    out(tableOf(catalog, wanted[0]!, asOf));
  }
}

function kindNamed(name: string): CatalogKind {
  const found = CATALOG_KINDS.find((kind) => kind === name || KINDS[kind].folder === name);
  if (found !== undefined) return found;
  const names = [...CATALOG_KINDS.map((kind) => KINDS[kind].folder as string), ...PLUGIN_KINDS];
  const hint = hintFor(name, names) ?? `known: ${names.join(", ")}`;
  throw new ConfigError([{ path: ["catalog"], message: `unknown kind "${name}"`, hint }]);
}

function withAge(entry: CatalogEntry<CatalogKind>, asOf: string): object {
  return { ...entry, ageDays: ageDays(entry.asOf, asOf) };
}

/** A date that lies after the one ages count from has no age: a minus would look like one. */
function ageText(origin: Origin, asOf: string): string {
  const days = ageDays(origin.asOf, asOf);
  return days === null || days < 0 ? "-" : plainNumber(days);
}

function kindText(origin: Origin): string {
  return origin.unverified === true ? `${origin.kind}, unverified` : origin.kind;
}

/** Every origin that is written in an entry: its own, those of single values, those of its rows. */
function originsOf<K extends CatalogKind>(kind: K, entry: CatalogEntry<K>): readonly Origin[] {
  const view: View<K> = VIEWS[kind];
  const fields = Object.keys(entry.fields ?? {}).map((path) => originOf(entry, path));
  return [originOf(entry, ""), ...fields, ...view.lines(entry).map((line) => line.origin)];
}

function overviewRow<K extends CatalogKind>(catalog: Catalog, kind: K): string[] {
  const entries = [...(catalog[kind] as unknown as ReadonlyMap<string, CatalogEntry<K>>).values()];
  const origins = entries.map((entry) => originsOf(kind, entry));
  const dates = origins.flatMap((ofEntry) => ofEntry.map(({ asOf }) => asOf)).sort();
  const holding = (test: (origin: Origin) => boolean): number => origins.filter((ofEntry) => ofEntry.some(test)).length;
  const counts = [
    entries.length,
    holding((origin) => origin.kind === "assumed"),
    holding((origin) => origin.unverified === true),
    entries.filter((entry) => entry.override).length,
  ];
  return [KINDS[kind].folder, ...counts.map(String), dates[0] ?? "-", dates.at(-1) ?? "-"];
}

function overview(catalog: Catalog, asOf: string): string {
  const columns = [
    ...left("kind"),
    ...right("entries", "with assumed", "with unverified", "yours"),
    ...left("oldest", "newest value"),
  ];
  const rows = CATALOG_KINDS.map((kind) => overviewRow(catalog, kind));
  const head = `Catalogue of ${catalog.asOf}; ages count from ${asOf}. One kind: crossover catalog KIND`;
  return `${head}\n\n${textTable(columns, rows)}\nWhat pools can do: crossover catalog ${PLUGIN_KINDS.join(", crossover catalog ")}\n`;
}

/** Rows of one kind: what it says, and where that comes from. An entry with rows of its own origin gives several. */
interface Line {
  readonly cells: readonly string[];
  readonly origin: Origin;
}

interface View<K extends CatalogKind> {
  readonly columns: readonly Column[];
  readonly lines: (entry: CatalogEntry<K>) => readonly Line[];
}

function left(...heads: string[]): Column[] {
  return heads.map((head) => ({ head, maxWidth: 60 }));
}

function right(...heads: string[]): Column[] {
  return heads.map((head) => ({ head, align: "right" }));
}

/** A kind whose entries are one row each, described by a function from entry to cells. */
function flat<K extends CatalogKind>(
  columns: readonly Column[],
  cells: (entry: CatalogEntry<K>) => readonly string[],
): View<K> {
  return { columns, lines: (entry) => [{ cells: cells(entry), origin: originOf(entry, "") }] };
}

const number = (value: number | null): string => (value === null ? "-" : plainNumber(value));
const percent = (fraction: number): string => `${plainNumber(fraction * 100)} %`;

function lengthText(lengths: CatalogEntry<"traffic">["input"]): string {
  if (lengths.kind === "constant") return number(lengths.tokens);
  if (lengths.kind === "lognormal") return `median ${number(lengths.medianTokens)}`;
  return `mean ${plainNumber(lengths.meanTokens, 0)}`;
}

function incidentText(entry: CatalogEntry<"incidents">): string {
  if (entry.type === "node_failure") return `${number(entry.failuresPerNodeDay * 1000)} per 1,000 node-days`;
  if (entry.type === "repair") return `median ${number(entry.time.medianS)} s, sigma ${number(entry.time.sigma)}`;
  if (entry.type === "engine_crash") return `${number(entry.crashesPerReplicaDay)} per replica-day`;
  return [...entry.nodeFailure, entry.engineCrash, entry.engineRestart].filter((name) => name !== null).join(", ");
}

/** Where prices and limits come from: they are read at different times from different pages. `catalog-offers.ts` shows them. */
function offerLines(entry: CatalogEntry<"offers">): readonly Line[] {
  const prices = entry.prices.map((row, i) => rowOriginOf(entry, `prices.${i}`, row));
  const tiers = Object.entries(entry.tiers).map(([tier, row]) => rowOriginOf(entry, `tiers.${tier}`, row));
  return [...prices, ...tiers].map((origin) => ({ cells: [], origin }));
}

function limitsText(limits: Readonly<Record<string, number>>): string {
  const shown = Object.entries(limits).map(([name, limit]) => `${name} ${number(limit)}`);
  return shown.length === 0 ? "none published" : shown.join(", ");
}

function formText(entry: CatalogEntry<"forms">): string {
  if (entry.form === "batch")
    return `within ${number(entry.windowH)} h, median ${number(entry.completionMedianH)} h; expired: ${entry.expiredBills} billed`;
  if (entry.form === "flex")
    return `TTFT x ${number(entry.ttftFactor)}, rate x ${number(entry.rateFactor)}, no capacity ${percent(entry.unavailablePeakProbability)} at peak, else ${percent(entry.unavailableOtherProbability)}`;
  const rate = entry.minTokensPerS === null ? "" : `, at least ${number(entry.minTokensPerS)} tokens/s`;
  return `limits x ${number(entry.limitFactor)}${rate}`;
}

/** One line per deployment with its terms, and one per model. */
function provisionedLines(entry: CatalogEntry<"provisioned">): readonly Line[] {
  const terms = Object.entries(entry.deployments).flatMap(([deployment, { terms, priceFactor, ...row }]) => {
    const base = rowOriginOf(entry, `deployments.${deployment}`, row);
    return Object.entries(terms).map(([term, price]): Line => {
      const usd = plainNumber(price.usdPerUnit * priceFactor);
      const every = price.termH === 0 ? "an hour" : `every ${number(price.paidEveryH)} h`;
      return {
        cells: [`${deployment}, ${term}`, "", "", "", "", "", `${usd} ${every}`],
        origin: rowOriginOf({ ...base }, "", price),
      };
    });
  });
  const models = entry.models.map((row, i): Line => {
    const steps = Object.entries(row.steps).map(
      ([deployment, { minUnits, increment }]) => `${deployment} ${minUnits} + ${increment}`,
    );
    return {
      cells: [
        row.model,
        number(row.inputTokensPerMinPerUnit),
        row.outputTokensPerMinPerUnit === null
          ? number(row.outputWeight)
          : `apart, ${number(row.outputTokensPerMinPerUnit)}`,
        number(row.cachedWeight),
        number(row.minTokensPerS),
        steps.join(", "),
        "",
      ],
      origin: rowOriginOf(entry, `models.${i}`, row),
    };
  });
  return [...terms, ...models];
}

const VIEWS: { readonly [K in CatalogKind]: View<K> } = {
  gpus: flat([...left("name"), ...right("memory GB", "GB/s", "BF16", "FP8", "FP4 TFLOPS", "link GB/s", "W")], (gpu) => [
    gpu.name,
    ...[gpu.memoryGB, gpu.memoryBandwidthGBps, gpu.bf16DenseTflops, gpu.fp8DenseTflops, gpu.fp4DenseTflops].map(number),
    ...[gpu.linkGBpsPerDirection, gpu.tdpW].map(number),
  ]),
  llms: flat([...left("name"), ...right("params B", "active B", "layers", "KV elements/token", "context")], (llm) => [
    llm.name,
    plainNumber(llm.params / 1e9, 1),
    plainNumber(llm.activeParams / 1e9, 1),
    ...[llm.layers, llm.kvElementsPerToken + llm.kvElementsPerTokenSliding, llm.maxContext].map(number),
  ]),
  engines: flat(left("version", "scheduler: sequences / tokens", "prefill ms/layer dense, MoE", "API ms"), (engine) => [
    engine.engineVersion,
    engine.scheduler
      .map((row) => `>= ${row.minMemoryGB} GB: ${number(row.maxNumSeqs)} / ${number(row.maxNumBatchedTokens)}`)
      .join("; "),
    `${number(engine.tpreMsPerLayer.dense)}, ${number(engine.tpreMsPerLayer.moe)}`,
    number(engine.apiOverheadMs),
  ]),
  coefficients: flat(
    [...left("fit set", "class"), ...right("sets", "global MAPE %", "band 5 %", "band 95 %")],
    (entry) => {
      const global = entry.sets.find((set) => set.scope === "global");
      const band = entry.residualBandsPercent.global;
      return [
        entry.fitSet,
        entry.modelClass,
        number(entry.sets.length),
        number(global?.fitMapePercent ?? null),
        number(band.p5),
        number(band.p95),
      ];
    },
  ),
  gpuPrices: {
    columns: [...left("gpu"), ...right("USD/GPU-hour", "GPUs"), ...left("instance", "region", "confidence")],
    lines: (entry) =>
      entry.rows.map((row, i) => ({
        cells: [
          row.gpu,
          row.usdPerGpuHour.toFixed(3),
          number(row.gpusPerNode),
          row.instance ?? "-",
          row.region ?? "-",
          row.confidence,
        ],
        origin: rowOriginOf(entry, `rows.${i}`, row),
      })),
  },
  providers: flat(left("name", "boundaries: level", "limits charged", "outages"), (entry) => [
    entry.name,
    Object.entries(entry.boundaries)
      .map(([name, { level }]) => `${name} ${level}`)
      .join(", "),
    Object.keys(entry.limitRules).join(", ") || "none",
    entry.outageProfile,
  ]),
  offers: { columns: [], lines: offerLines },
  limits: {
    columns: [...left("tier"), { head: "models", maxWidth: 60 }, { head: "limits per window", maxWidth: 60 }],
    lines: (entry) =>
      entry.rows.map((row, i) => ({
        cells: [`@${row.tier}`, row.models.join(", "), limitsText(row.limits)],
        origin: rowOriginOf(entry, `rows.${i}`, row),
      })),
  },
  pricePaths: flat([...left("name"), ...right("factor", "every months", "lag months")], (entry) => [
    entry.name,
    ...[entry.factor, entry.everyMonths, entry.lagMonths].map(number),
  ]),
  forms: flat(left("provider", "form", "what"), (entry) => [entry.provider, entry.form, formText(entry)]),
  provisioned: {
    columns: [
      ...left("what"),
      ...right("in tokens/min/unit", "out weight", "cached", "tokens/s"),
      ...left("units: least + step", "USD/unit"),
    ],
    lines: provisionedLines,
  },
  managed: flat([...left("place"), ...right("level", "x GPU rate"), ...left("to zero", "name")], (entry) => [
    entry.place,
    number(entry.boundaryLevel),
    number(entry.gpuRateFactor),
    entry.scaleToZero ? "yes" : "no",
    entry.name,
  ]),
  latencyClasses: flat([...right("TTFT s", "sigma", "tail p", "tail x", "tokens/s"), ...left("examples")], (entry) => [
    ...[entry.ttftBaseS, entry.ttftSigma, entry.tailProbability, entry.tailMultiple, entry.tokensPerS].map(number),
    entry.examples,
  ]),
  reasoning: flat(right("median tokens", "sigma"), (entry) => [entry.medianTokens, entry.sigma].map(number)),
  networkPaths: flat([...right("pairs", "lowest", "highest RTT ms")], (entry) => {
    const rttMs = Object.values(entry.rttMs).flatMap((row) => Object.values(row));
    return [rttMs.length, Math.min(...rttMs), Math.max(...rttMs)].map(number);
  }),
  boundaries: flat([...right("level"), ...left("residency", "option")], (entry) => [
    number(entry.level),
    entry.residency,
    entry.option,
  ]),
  redactions: flat(right("ms", "USD/request", "USD/MTok", "stays inside"), (entry) => [
    ...[entry.latencyMs, entry.usdPerRequest, entry.usdPerMTok].map(number),
    percent(entry.failFraction),
  ]),
  congestions: flat(left("states: TTFT factor, hours"), (entry) => [
    entry.states.map((state) => `${state.name} ${number(state.ttftFactor)}, ${number(state.meanDwellH)}`).join("; "),
  ]),
  outageProfiles: flat(
    [...right("gap shape", "gap scale h", "duration mu", "sigma"), ...left("severities")],
    (entry) => [
      ...[entry.gapWeibullShape, entry.gapWeibullScaleH, entry.durationLnHMean, entry.durationLnHSigma].map(number),
      entry.severities.map((severity) => `${severity.name} ${percent(severity.errorFraction)}`).join(", "),
    ],
  ),
  clients: flat(
    [...left("name"), ...right("retries", "back-off s", "to s", "Retry-After s", "timeout s")],
    (client) => [
      client.name,
      ...[client.maxRetries, client.backoffInitialS, client.backoffMaxS].map(number),
      client.honorRetryAfter ? (client.maxRetryAfterS === null ? "any" : number(client.maxRetryAfterS)) : "ignored",
      number(client.attemptTimeoutS),
    ],
  ),
  seasons: flat([...left("name"), ...right("lowest", "highest hour / mean")], (season) => [
    season.name,
    number(Math.min(...season.hourOfWeek)),
    number(Math.max(...season.hourOfWeek)),
  ]),
  traffic: flat(
    [...left("name"), ...right("mean/s"), ...left("input tokens", "output tokens", "season", "trace")],
    (preset) => [
      preset.name,
      number(preset.meanRatePerS),
      lengthText(preset.input),
      lengthText(preset.output),
      preset.season ?? "flat",
      preset.trace ?? "-",
    ],
  ),
  incidents: flat(left("type", "what"), (entry) => [entry.type, incidentText(entry)]),
  coldStarts: flat([...right("loader GB/s", "download GB/s", "engine s", "node s"), ...left("name")], (entry) => [
    number(entry.loaderGBps),
    number(entry.downloadGBps),
    number(entry.engineInitS + entry.transformS + entry.compileS + entry.graphCaptureS),
    number(entry.nodeBootS + entry.imageGB / entry.imagePullGBps),
    entry.name,
  ]),
  places: flat([...right("boundary level", "network s"), ...left("residency", "name")], (place) => [
    number(place.boundaryLevel),
    number(place.networkS),
    place.residency,
    place.name,
  ]),
  teams: flat(left("name", "levels"), (team) => [
    team.name,
    Object.entries(team.levels)
      .map(([dimension, level]) => `${dimension} ${level}`)
      .join(", "),
  ]),
  teamLevels: flat(left("mechanism: levels 0-4"), (entry) => [
    Object.entries(entry.mechanisms)
      .map(([name, values]) => `${name} ${values.map((value) => (value === null ? "-" : String(value))).join("/")}`)
      .join("; "),
  ]),
  people: flat(left("hours: incident, node, fixed", "USD/year loaded"), (entry) => [
    [entry.hoursPerIncident, entry.nodeHoursPerMonth, entry.fixedHoursPerMonth].map(number).join(", "),
    Object.entries(entry.loadedUsdPerYear)
      .map(([region, { typical }]) => `${region} ${number(typical)}`)
      .join(", "),
  ]),
};

function tableOf<K extends CatalogKind>(catalog: Catalog, kind: K, asOf: string): string {
  const view: View<K> = VIEWS[kind];
  const entries = catalog[kind] as unknown as ReadonlyMap<string, CatalogEntry<K>>;
  const columns = [
    ...left("id"),
    ...view.columns,
    ...left("kind"),
    ...left("as of"),
    ...right("age days"),
    ...left("source"),
  ];
  const rows = [...entries.values()].flatMap((entry) =>
    view
      .lines(entry)
      .map(({ cells, origin }, i) => [
        i > 0 ? "" : entry.override ? `${entry.id} (yours)` : entry.id,
        ...cells,
        kindText(origin),
        origin.asOf,
        ageText(origin, asOf),
        origin.source,
      ]),
  );
  return `${KINDS[kind].folder}: ${entries.size} of the catalogue of ${catalog.asOf}; ages count from ${asOf}\n\n${textTable(columns, rows)}`;
}

/**
 * The kinds of the catalogue: for each the folder of `models/` it lives in and the form of its entries. Entries hold facts
 * only: names are looked up, joined and turned into a scenario by `catalog.ts`, `offer.ts`, `pool-facts.ts` and the resolver.
 * The origin (source, asOf, kind) at the top of an entry holds for all its values; `fields` overrides it by dotted path.
 */
import type { z } from "zod";
import { BoundaryEntry, NetworkPathEntry, ReasoningEntry, RedactionEntry } from "./entries-boundary.ts";
import { CoefficientsEntry, EngineEntry, GpuEntry, GpuPriceEntry, LlmEntry } from "./entries-compute.ts";
import { ClientEntry, SeasonEntry, TrafficEntry } from "./entries-demand.ts";
import { FormEntry, ManagedEntry, ProvisionedEntry } from "./entries-forms.ts";
import {
  ColdStartEntry,
  IncidentEntry,
  PeopleEntry,
  PlaceEntry,
  TeamEntry,
  TeamLevelEntry,
} from "./entries-operations.ts";
import { LimitsEntry } from "./entries-limits.ts";
import {
  CongestionEntry,
  LatencyClassEntry,
  OfferEntry,
  OutageProfileEntry,
  PricePathEntry,
  ProviderEntry,
} from "./entries-provider.ts";

/** Every kind: the folder of `models/` it lives in and the form of its entries. */
export const KINDS = {
  gpus: { folder: "gpus", schema: GpuEntry },
  llms: { folder: "llms", schema: LlmEntry },
  engines: { folder: "engines", schema: EngineEntry },
  coefficients: { folder: "coefficients", schema: CoefficientsEntry },
  gpuPrices: { folder: "gpu-prices", schema: GpuPriceEntry },
  providers: { folder: "providers", schema: ProviderEntry },
  offers: { folder: "offers", schema: OfferEntry },
  limits: { folder: "limits", schema: LimitsEntry },
  pricePaths: { folder: "price-paths", schema: PricePathEntry },
  forms: { folder: "forms", schema: FormEntry },
  provisioned: { folder: "provisioned", schema: ProvisionedEntry },
  managed: { folder: "managed", schema: ManagedEntry },
  latencyClasses: { folder: "latency-classes", schema: LatencyClassEntry },
  reasoning: { folder: "reasoning", schema: ReasoningEntry },
  networkPaths: { folder: "network-paths", schema: NetworkPathEntry },
  boundaries: { folder: "boundaries", schema: BoundaryEntry },
  redactions: { folder: "redactions", schema: RedactionEntry },
  congestions: { folder: "congestions", schema: CongestionEntry },
  outageProfiles: { folder: "outage-profiles", schema: OutageProfileEntry },
  clients: { folder: "clients", schema: ClientEntry },
  seasons: { folder: "seasons", schema: SeasonEntry },
  traffic: { folder: "traffic", schema: TrafficEntry },
  incidents: { folder: "incidents", schema: IncidentEntry },
  coldStarts: { folder: "cold-starts", schema: ColdStartEntry },
  places: { folder: "places", schema: PlaceEntry },
  teams: { folder: "teams", schema: TeamEntry },
  teamLevels: { folder: "team-levels", schema: TeamLevelEntry },
  people: { folder: "people", schema: PeopleEntry },
} as const;

export type CatalogKind = keyof typeof KINDS;
export const CATALOG_KINDS = Object.keys(KINDS) as readonly CatalogKind[];

/** An entry as it stands in the catalogue: its facts, and the file they came from. */
export type CatalogEntry<K extends CatalogKind> = z.infer<(typeof KINDS)[K]["schema"]> & {
  readonly file: string;
  /** Came from the user's `--models` directory. */
  readonly override: boolean;
};

export type Catalog = { readonly [K in CatalogKind]: ReadonlyMap<string, CatalogEntry<K>> } & {
  /** Date of the catalogue as a whole: the default clock of an experiment. */
  readonly asOf: string;
};

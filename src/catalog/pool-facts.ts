/**
 * What the catalogue knows of one pool: its GPU rate, engine defaults, incident rates and start
 * times. Units: USD per GPU-hour, seconds, GB = 1e9 bytes. Nothing here throws: a miss carries its nearest name.
 */
import { find, miss, type Found } from "./catalog.ts";
import { rowOriginOf, type Origin } from "./origin.ts";
import type { Catalog, CatalogEntry } from "./schema.ts";

export interface GpuPriceFact {
  readonly usdPerGpuHour: number;
  /** GPUs of the instance, which are rented together. */
  readonly gpusPerNode: number;
  readonly instance: string | null;
  readonly confidence: "high" | "medium" | "low";
  readonly origin: Origin;
}

/**
 * Rate of a GPU at a seller: of the instances whose node holds a whole replica the cheapest per GPU, of equals the smallest
 * node. `reference` is a gpu-prices id, or `id@instance` to name the instance.
 */
export function gpuPriceFact(
  catalog: Catalog,
  gpu: string,
  reference: string,
  gpusPerReplica: number,
): Found<GpuPriceFact> {
  const at = reference.indexOf("@");
  const found = find(catalog, "gpuPrices", at < 0 ? reference : reference.slice(0, at));
  if (!found.ok) return found;
  const entry = found.value;
  const ofGpu = entry.rows.map((row, index) => ({ row, index })).filter(({ row }) => row.gpu === gpu);
  if (ofGpu.length === 0) {
    const sellers = [...catalog.gpuPrices.values()]
      .filter((price) => price.rows.some((row) => row.gpu === gpu))
      .map((price) => price.id);
    return {
      ok: false,
      message: `${entry.id} has no rate for ${gpu}`,
      hint: sellers.length === 0 ? "no seller has one" : `sellers of it: ${sellers.join(", ")}`,
    };
  }
  const wanted = at < 0 ? null : reference.slice(at + 1);
  const instances = ofGpu.flatMap(({ row }) => (row.instance === null ? [] : [row.instance]));
  if (wanted !== null && !instances.includes(wanted))
    return miss(`instance of ${entry.id} with ${gpu}`, wanted, instances);
  const fitting = ofGpu.filter(
    ({ row }) =>
      (wanted === null || row.instance === wanted) && (row.gpusPerNode >= gpusPerReplica || row.instance === null),
  );
  fitting.sort((a, b) => a.row.usdPerGpuHour - b.row.usdPerGpuHour || a.row.gpusPerNode - b.row.gpusPerNode);
  const best = fitting[0];
  if (best === undefined)
    return { ok: false, message: `no ${gpu} node at ${entry.id} holds a replica of ${gpusPerReplica} GPUs` };
  const { usdPerGpuHour, gpusPerNode, instance, confidence } = best.row;
  return {
    ok: true,
    value: {
      usdPerGpuHour,
      gpusPerNode,
      instance,
      confidence,
      origin: rowOriginOf(entry, `rows.${best.index}`, best.row),
    },
  };
}

/** The profile's scheduler limits for this GPU: of the rows that hold for it, the one that asks for most memory. */
export function schedulerDefaults(
  engine: CatalogEntry<"engines">,
  gpu: { readonly id: string; readonly memoryGB: number },
): { maxNumSeqs: number; maxNumBatchedTokens: number } {
  const rows = engine.scheduler
    .filter((row) => row.minMemoryGB <= gpu.memoryGB && !(row.notOn ?? []).includes(gpu.id))
    .sort((a, b) => b.minMemoryGB - a.minMemoryGB);
  const { maxNumSeqs, maxNumBatchedTokens } = rows[0] ?? engine.scheduler[engine.scheduler.length - 1]!;
  return { maxNumSeqs, maxNumBatchedTokens };
}

type Incident<T extends CatalogEntry<"incidents">["type"]> = Extract<CatalogEntry<"incidents">, { type: T }>;

export interface IncidentFacts {
  readonly nodeFailure: Incident<"node_failure"> | null;
  readonly nodeRepair: Incident<"repair">;
  readonly engineCrash: Incident<"engine_crash"> | null;
  readonly engineRestart: Incident<"repair">;
}

/** The rates and times that a preset means for this GPU and place. A null class does not happen under the preset. */
export function incidentFacts(
  catalog: Catalog,
  preset: string,
  gpu: string,
  place: "private_vpc" | "dedicated_managed" | "onprem",
): Found<IncidentFacts> {
  const presets = [...catalog.incidents.values()].filter((entry) => entry.type === "preset").map((entry) => entry.id);
  const found = find(catalog, "incidents", preset);
  if (!found.ok || found.value.type !== "preset") return miss("incident preset", preset, presets);
  const { nodeFailure, nodeRepair, engineCrash, engineRestart } = found.value;
  const failures = nodeFailure.flatMap((name) => ofType(catalog, name, "node_failure"));
  const repair = ofType(catalog, nodeRepair[place], "repair")[0];
  const restart = ofType(catalog, engineRestart, "repair")[0];
  if (repair === undefined || restart === undefined)
    return { ok: false, message: `${found.value.file}: nodeRepair and engineRestart must name entries of type repair` };
  return {
    ok: true,
    value: {
      nodeFailure: failures.find((failure) => failure.gpus.includes(gpu)) ?? failures[0] ?? null,
      nodeRepair: repair,
      engineCrash: engineCrash === null ? null : (ofType(catalog, engineCrash, "engine_crash")[0] ?? null),
      engineRestart: restart,
    },
  };
}

function ofType<T extends CatalogEntry<"incidents">["type"]>(catalog: Catalog, name: string, type: T): Incident<T>[] {
  const entry = catalog.incidents.get(name);
  return entry !== undefined && entry.type === type ? [entry as Incident<T>] : [];
}

/**
 * Start times of a replica with `weightsGB` of weights (all its GPUs together): `restartS` on a node that is up, `provisionS`
 * for a node and its image on top.
 *   restart = download + load + engine init + transform + compile + graph capture; provision = boot + imageGB/imagePullGBps.
 */
export function coldStartTimes(
  entry: CatalogEntry<"coldStarts">,
  weightsGB: number,
): { restartS: number; provisionS: number } {
  const downloadS = entry.downloadGBps === null ? 0 : weightsGB / entry.downloadGBps;
  const stepsS = entry.engineInitS + entry.transformS + entry.compileS + entry.graphCaptureS;
  return {
    restartS: downloadS + weightsGB / entry.loaderGBps + stepsS,
    provisionS: entry.nodeBootS + entry.imageGB / entry.imagePullGBps,
  };
}

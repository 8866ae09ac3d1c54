/** How a pool batches: policy names and options looked up, memory and links of the file turned into tokens and seconds. */
import { hintFor, nearest } from "../catalog/nearest.ts";
import { sequenceBytes } from "../engine/model-bytes.ts";
import { kvDivisor, largestStageShare, layoutOf } from "../engine/parallelism.ts";
import { formsStepsAhead } from "../engine/step-ahead.ts";
import type { PolicyPlugin } from "../engine/policies/policy.ts";
import { batchingPlugins, orderPlugins, ships } from "../engine/policies/registry.ts";
import type { PolicyChoice, SchedulerSpec } from "../engine/scheduler-spec.ts";
import type { EngineSpec, LlmSpec } from "../engine/spec.ts";
import type { RouterPlugin } from "../fleet/routers/router.ts";
import type { ResolvedPool } from "../scenario/resolved.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { PoolFile, StrategyFile } from "./schema.ts";

const BYTES_PER_GIB = 1_073_741_824;

/** Null when a name or an option is unknown; the problems are in `resolution` then. */
export function resolveScheduler(
  resolution: Resolution,
  file: PoolFile["scheduler"],
  role: SchedulerSpec["role"],
  engine: EngineSpec,
  llm: LlmSpec,
  path: Path,
  at: string,
): SchedulerSpec | null {
  const batching = choose(resolution, batchingPlugins, file.batching, [...path, "batching"], BATCHING);
  const order = choose(resolution, orderPlugins, file.order, [...path, "order"], ORDER);
  resolution.fromFile(at, path);
  const { preemption, speculative } = file;
  if (role === "decode" && preemption === "swap") {
    resolution.problem(
      [...path, "preemption"],
      "a pool that takes requests over with their KV recomputes what it preempts",
      "write recompute",
    );
    return null;
  }
  const decodeTokens = engine.maxNumSeqs * (1 + (speculative?.draftTokens ?? 0));
  if (speculative?.mode === "exact" && decodeTokens > engine.maxNumBatchedTokens) {
    resolution.problem(
      [...path, "speculative", "draftTokens"],
      `a full batch decodes and checks ${decodeTokens} tokens a step, more than maxNumBatchedTokens, ${engine.maxNumBatchedTokens}`,
      "lower maxNumSeqs or draftTokens, or raise maxNumBatchedTokens",
    );
    return null;
  }
  if (batching === null || order === null) return null;
  checkBatchSize(resolution, batching, engine.maxNumSeqs, [...path, "batching"]);
  const { stages, ranks } = layoutOf(engine);
  const bytesPerGpuToken = kvBytesPerGpuToken(llm, engine) * largestStageShare(llm, stages);
  const swapSpaceTokens = Math.floor((file.swapSpaceGiB * BYTES_PER_GIB) / bytesPerGpuToken) * ranks;
  if (preemption === "swap" && swapSpaceTokens === 0)
    resolution.problem(
      [...path, "swapSpaceGiB"],
      `${file.swapSpaceGiB} GiB hold no token, so that nothing could be swapped`,
      "give it room, or write preemption: recompute",
    );
  const resolved: SchedulerSpec = {
    batching,
    order,
    preemption,
    swapSPerToken: bytesPerGpuToken / (file.hostLinkGBps * 1e9),
    swapSpaceTokens,
    admission: file.admission,
    prefixCache: file.prefixCaching === "off" ? null : { eviction: file.prefixCaching },
    speculative: speculative ?? null,
    // Each rank pads its own micro-batch, over which the sequences of the replica are spread evenly.
    capturedBatchSizes:
      file.capturedBatchSizes === undefined
        ? null
        : file.capturedBatchSizes.map((size) => size * ranks * stages).sort((a, b) => a - b),
    role,
  };
  noteUnlikeOthers(resolution, resolved, engine, path);
  return resolved;
}

/** Warns of what makes the schedulers of one experiment unlike in more than they say. */
function noteUnlikeOthers(resolution: Resolution, scheduler: SchedulerSpec, engine: EngineSpec, path: Path): void {
  const { batching, role, capturedBatchSizes } = scheduler;
  if (engine.schedulesAhead === true && !formsStepsAhead(engine, scheduler))
    resolution.warn(
      `${path.join(".")}: this engine forms steps ahead, which is modelled under chunked and continuous batching alone: under ${role === "both" ? batching.name : `a pool that is for ${role} alone`} requests join a step earlier, so that first tokens are not comparable`,
    );
  const largest = capturedBatchSizes?.at(-1) ?? 0;
  if (largest > engine.maxNumSeqs && !capturedBatchSizes!.includes(engine.maxNumSeqs))
    resolution.warn(
      `${[...path, "capturedBatchSizes"].join(".")}: sizes above maxNumSeqs, ${engine.maxNumSeqs} in a replica, count as that many sequences`,
    );
}

/** Options that say how many requests make a full batch. */
const BATCH_SIZES = ["batchSize", "maxBatchSize"];

/** A batch that is larger than the seats of a replica is never full. */
function checkBatchSize(resolution: Resolution, batching: PolicyChoice, maxNumSeqs: number, path: Path): void {
  if (!ships(batchingPlugins.find(({ name }) => name === batching.name))) return;
  for (const option of BATCH_SIZES.filter((one) => (batching.options[one] ?? 0) > maxNumSeqs)) {
    const size = batching.options[option];
    const at = [...path, "options", option];
    if (resolution.declared(at))
      resolution.problem(
        at,
        `a replica runs at most ${maxNumSeqs} sequences (maxNumSeqs), so that no batch gets to ${size}`,
        `write at most ${maxNumSeqs}, or raise maxNumSeqs`,
      );
    else
      resolution.warn(
        `${path.join(".")}: batches are of at most ${maxNumSeqs} requests (maxNumSeqs), fewer than the ${size} of ${batching.name} without ${option}`,
      );
  }
}

/** The way of the KV to the pool of the strategy that decodes. Null after a problem. */
export function resolveHandOff(
  resolution: Resolution,
  file: PoolFile,
  name: string,
  siblings: StrategyFile["pools"],
  engine: EngineSpec,
  llm: LlmSpec,
  path: Path,
  at: string,
): { readonly handOff: ResolvedPool["handOff"] } | null {
  resolution.fromFile(at, path);
  if (file.handOff === undefined) return { handOff: null };
  const { to, transferGBps, latencyMs } = file.handOff;
  const others = Object.keys(siblings).filter((other) => other !== name);
  const target = Object.hasOwn(siblings, to) && to !== name ? siblings[to]! : undefined;
  if (target === undefined) {
    const message = to === name ? "a pool can't hand on to itself" : `unknown pool "${to}"`;
    resolution.problem([...path, "to"], message, hintFor(to, others));
    return null;
  }
  if (target.handOff !== undefined) {
    resolution.problem([...path, "to"], `${to} hands on as well: a request changes its pool once`);
    return null;
  }
  if (target.llm !== file.llm || target.kvDtype !== file.kvDtype) {
    resolution.problem(
      [...path, "to"],
      `${to} can't use the KV of this pool: it runs ${target.llm} with ${target.kvDtype} KV, this one ${file.llm} with ${file.kvDtype}`,
    );
    return null;
  }
  const bytes = kvBytesPerGpuToken(llm, engine) * kvDivisor(llm, engine.tensorParallelSize);
  const pool = Object.keys(siblings).indexOf(to);
  return { handOff: { pool, sPerToken: bytes / (transferGBps * 1e9), latencyS: latencyMs / 1000 } };
}

/** KV bytes of one token, of all layers, on one GPU of a tensor-parallel group. */
function kvBytesPerGpuToken(llm: LlmSpec, engine: EngineSpec): number {
  return sequenceBytes(llm, engine.kvDtype).perToken / kvDivisor(llm, engine.tensorParallelSize);
}

const BATCHING = "batching policy";
const ORDER = "queue order";

function choose(
  resolution: Resolution,
  plugins: readonly PolicyPlugin[],
  choice: PoolFile["scheduler"]["batching"],
  path: Path,
  what: typeof BATCHING | typeof ORDER,
): PolicyChoice | null {
  const { name, options } = typeof choice === "string" ? { name: choice, options: {} } : choice;
  const plugin = plugins.find((one) => one.name === name);
  if (plugin === undefined) {
    const names = plugins.map((one) => one.name);
    resolution.problem(
      typeof choice === "string" ? path : [...path, "name"],
      `unknown ${what} "${name}"`,
      ofOtherKind(name, what) ??
        (nearest(name, names) === null
          ? `known: ${names.join(", ")}; those of a plug-in come with --plugin FILE`
          : hintFor(name, names)),
    );
    return null;
  }
  const values = pluginOptions(resolution, plugin, options, typeof choice === "string" ? path : [...path, "options"]);
  return { name, options: values };
}

/** A hint where `name` is a policy that stands in the wrong field. */
function ofOtherKind(name: string, what: typeof BATCHING | typeof ORDER): string | null {
  const [others, is, field] =
    what === BATCHING ? [orderPlugins, ORDER, "order"] : [batchingPlugins, BATCHING, "batching"];
  return others.some((other) => other.name === name) ? `it is a ${is}: scheduler: { ${field}: ${name} }` : null;
}

/** Options of a plug-in, defaults filled in; unknown ones and those out of range or in fractions become problems at `path`. */
export function pluginOptions(
  resolution: Resolution,
  plugin: Pick<PolicyPlugin | RouterPlugin, "name" | "options">,
  given: Readonly<Record<string, number>>,
  path: Path,
): Record<string, number> {
  for (const [option, value] of Object.entries(given)) {
    const spec = Object.hasOwn(plugin.options, option) ? plugin.options[option] : undefined;
    if (spec === undefined)
      resolution.problem(
        [...path, option],
        `${plugin.name} has no option "${option}"`,
        `its options: ${Object.keys(plugin.options).join(", ") || "none"}`,
      );
    else if (value < spec.min || value > spec.max)
      resolution.problem(
        [...path, option],
        `expected a number from ${spec.min} to ${spec.max}, got ${value}`,
        spec.doc,
      );
    else if (spec.whole === true && !Number.isInteger(value))
      resolution.problem([...path, option], `expected a whole number, got ${value}`, spec.doc);
  }
  return Object.fromEntries(
    Object.entries(plugin.options).map(([option, spec]) => [option, given[option] ?? spec.default]),
  );
}

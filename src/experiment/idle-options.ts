/**
 * Warnings of options of own pools that move nothing where they stand: who sets one expects a difference, and would read its absence
 * as a finding. Only what the file itself declares is told, by its path; of a plug-in nobody knows what it reads.
 */
import { batchingNamed, orderNamed, ships } from "../engine/policies/registry.ts";
import type { RequestClass, ResolvedPool, ResolvedTraffic } from "../scenario/resolved.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { ExperimentFile, PoolFile, StrategyFile } from "./schema.ts";

/** The policies that ship and look at the longest chunk; the others take whole prompts. */
const CHUNKING = ["chunked"];

/** What a pool is read against. */
interface PoolSetting {
  readonly file: PoolFile;
  readonly pool: ResolvedPool;
  /** Classes whose requests come here, by a route or handed on; and whether a route leads here itself. */
  readonly classes: readonly RequestClass[];
  readonly routed: boolean;
  /** Whether prompts may begin alike by what the traffic says, sessions or a recording. */
  readonly textKnown: boolean;
  /** Whether requests may be turns of sessions. */
  readonly inSessions: boolean;
}

/** Options that have no effect, and why; the last part of the path is what the message names. */
type Idle = readonly [path: Path, why: string];

/** Warns of idle options in the pools of a strategy. `pools` in the order of the file; traffic null where it did not resolve. */
export function noteIdleOptions(
  resolution: Resolution,
  file: StrategyFile,
  pools: readonly ResolvedPool[],
  classes: readonly RequestClass[],
  traffic: ResolvedTraffic | null,
  path: Path,
): void {
  const names = Object.keys(file.pools);
  const routedTo = (pool: string, { name }: RequestClass): boolean =>
    (file.routes[name] ?? []).some((target) => (typeof target === "string" ? target : target.to) === pool);
  const textKnown = traffic === null || hasText(traffic);
  const inSessions = traffic === null || traffic.sessions !== undefined;
  pools.forEach((pool, p) => {
    const name = names[p]!;
    const senders = names.filter((_, from) => pools[from]!.handOff?.pool === p);
    const setting: PoolSetting = {
      file: file.pools[name]!,
      pool,
      classes: classes.filter((one) => [name, ...senders].some((to) => routedTo(to, one))),
      routed: classes.some((one) => routedTo(name, one)),
      textKnown,
      inSessions,
    };
    const at = [...path, "pools", name];
    const told = [...ofEngine(setting), ...ofFleet(setting), ...ofScheduler(setting), ...ofOrder(setting)];
    for (const [field, why] of told)
      if (resolution.declared([...at, ...field]))
        resolution.warn(`${[...at, ...field].join(".")} has no effect: ${why}`);
  });
}

/** Warns of fields of classes and of the experiment that no pool of any strategy reads. */
export function noteIdleEverywhere(
  resolution: Resolution,
  file: ExperimentFile,
  pools: readonly ResolvedPool[],
  offersReadText: boolean,
): void {
  const idle = (path: Path, why: string): void => {
    if (resolution.declared(path)) resolution.warn(`${path.join(".")} has no effect: ${why}`);
  };
  const readsPriority = pools.some(
    ({ scheduler: { order, batching } }) =>
      order.name === "priority" || !ships(orderNamed(order.name)) || !ships(batchingNamed(batching.name)),
  );
  const readsText = offersReadText || pools.some(({ scheduler }) => scheduler.prefixCache !== null);
  file.classes.forEach((_, c) => {
    if (!readsPriority) idle(["classes", c, "priority"], "no pool orders its queue by priority");
    if (!readsText)
      idle(
        ["classes", c, "sharedPrefix"],
        "no pool has prefixCaching, and no offer a prompt cache, that could find it",
      );
  });
  if (file.stepTimeError === "drawn" && pools.every(({ stepTimeError }) => stepTimeError === null))
    idle(["stepTimeError"], "no pool takes its step times from the model");
}

/** Sessions, or a recording that says what prompts begin with. */
function hasText(traffic: ResolvedTraffic): boolean {
  return traffic.sessions !== undefined || (traffic.kind === "replay" && traffic.prefix !== undefined);
}

function ofEngine({ file, pool }: PoolSetting): Idle[] {
  const { engine, scheduler } = pool;
  const { longPrefillTokenThreshold = 0, maxNumBatchedTokens, maxModelLen } = engine;
  const idle: Idle[] = [];
  const longest: Path = ["longPrefillTokenThreshold"];
  const batching = batchingNamed(scheduler.batching.name);
  if (longPrefillTokenThreshold > 0) {
    if (ships(batching) && !CHUNKING.includes(batching!.name))
      idle.push([longest, `batching ${batching!.name} cuts prompts at the token budget alone`]);
    else if (longPrefillTokenThreshold >= maxNumBatchedTokens)
      idle.push([longest, `no chunk is longer than the token budget of a step, ${maxNumBatchedTokens}`]);
    else if (longPrefillTokenThreshold >= maxModelLen)
      idle.push([longest, `no prompt is longer than maxModelLen, ${maxModelLen}`]);
  }
  if (file.kvBlocks !== null)
    idle.push([["gpuMemoryUtilization"], "kvBlocks says how many blocks the memory has room for"]);
  if (file.stepTimeTable !== undefined && file.enableExpertParallel)
    idle.push([["enableExpertParallel"], "step times are those of stepTimeTable"]);
  return idle;
}

function ofFleet({ file, pool, routed, inSessions }: PoolSetting): Idle[] {
  const { nodeFailuresPerNodeDay, engineCrashesPerReplicaDay } = pool.incidents;
  const neverFails = nodeFailuresPerNodeDay === 0 && engineCrashesPerReplicaDay === 0;
  const idle: Idle[] = [];
  if (file.replicas === 1) idle.push([["router"], "the pool has one replica, so that there is nothing to choose"]);
  else if (pool.router.name === "sticky" && !inSessions)
    idle.push([
      ["router"],
      "sticky keeps the turns of a session together and the traffic has none: who gets a request is chance",
    ]);
  if (neverFails && file.scaleToZero === undefined)
    idle.push([["coldStart"], `incidents are ${file.incidents}, so that no replica ever starts anew`]);
  else if (file.coldStart.restartS !== undefined && file.coldStart.provisionS !== undefined)
    idle.push([["coldStart", "profile"], "restartS and provisionS are given"]);
  if (neverFails && file.warmReplicas > 0)
    idle.push([["warmReplicas"], `incidents are ${file.incidents}, so that they are paid for and never take over`]);
  if (pool.scheduler.role === "decode" && !routed)
    idle.push([["maxWaitingPerReplica"], "what another pool hands on is never refused"]);
  return idle;
}

function ofScheduler({ file, pool, classes, routed, textKnown }: PoolSetting): Idle[] {
  const { batching, admission, preemption, role } = pool.scheduler;
  const at = (...field: string[]): Path => ["scheduler", ...field];
  const idle: Idle[] = [];
  const batchingShips = ships(batchingNamed(batching.name));
  // A plug-in may preempt for reasons of its own.
  const neverPreempts = admission === "reserve" && batchingShips;
  const noSwap =
    preemption !== "swap" ? `preemption is ${preemption}` : neverPreempts ? "admission: reserve preempts nobody" : null;
  if (neverPreempts) idle.push([at("preemption"), "admission: reserve preempts nobody"]);
  if (noSwap !== null) for (const field of ["swapSpaceGiB", "hostLinkGBps"]) idle.push([at(field), noSwap]);
  if (role === "prefill")
    for (const field of ["speculative", "capturedBatchSizes"])
      idle.push([
        at(field),
        `every request is handed on to ${file.handOff!.to} after its first token: nothing decodes here`,
      ]);
  if (file.scheduler.prefixCaching !== "off") {
    const shared = classes.some(({ sharedPrefix }) => (sharedPrefix?.tokens ?? 0) >= pool.engine.blockTokens);
    if (role === "decode" && !routed)
      idle.push([
        at("prefixCaching"),
        "requests come with their KV, so that only what was preempted here is looked for",
      ]);
    else if (!shared && !textKnown)
      idle.push([
        at("prefixCaching"),
        "prompts here have no whole block in common (classes without a sharedPrefix, traffic without sessions), so that only what was preempted is found again",
      ]);
  }
  const captured = file.scheduler.capturedBatchSizes ?? [];
  if (captured.length > 0 && new Set(captured).size === Math.max(...captured))
    idle.push([at("capturedBatchSizes"), "every size up to the largest is captured, and above it nothing is padded"]);
  for (const [size, wait] of [
    ["batchSize", "timeoutMs"],
    ["maxBatchSize", "maxQueueDelayMs"],
  ] as const)
    if (batchingShips && batching.options[size] === 1)
      idle.push([at("batching", "options", wait), `a batch of one (${size}) waits for nobody`]);
  return idle;
}

function ofOrder({ pool, classes }: PoolSetting): Idle[] {
  const { name } = pool.scheduler.order;
  if (!ships(orderNamed(name)) || classes.length === 0) return [];
  const as = ", so that requests wait as they come";
  const same = (values: readonly unknown[]): boolean => new Set(values).size === 1;
  const path: Path = ["scheduler", "order"];
  if (name === "priority" && same(classes.map(({ priority }) => priority)))
    return [[path, `all classes here have priority ${classes[0]!.priority}${as}`]];
  if (name === "edf" && classes.every(({ slo }) => slo.ttftS === null))
    return [[path, `no class here has a target for the first token (slo.ttftMs)${as}`]];
  if (name === "fair-share" && classes.length === 1)
    return [[path, `${classes[0]!.name} is the only class here, and tenants are classes${as}`]];
  return [];
}

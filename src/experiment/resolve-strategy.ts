/** One strategy: its pools and offers, and for each class the route that the boundary rules leave of it (INV-13). */
import { hintFor } from "../catalog/nearest.ts";
import type { Path } from "./read.ts";
import { noteIdleOptions } from "./idle-options.ts";
import { pathsByClass } from "./resolve-network.ts";
import type { DemandContext } from "./expected-demand.ts";
import { applyForm, spilloverOf } from "./resolve-form.ts";
import { managedPool, withManagedPools } from "./resolve-managed.ts";
import { levelUnredacted, refusal, type BoundaryTarget } from "./resolve-boundary.ts";
import { resolveRedaction } from "./resolve-redaction.ts";
import { resolveClient } from "./resolve-client.ts";
import type { StrategyDispatch } from "../scenario/dispatch.ts";
import { resolveDispatch } from "./resolve-dispatch.ts";
import { resolveOffer } from "./resolve-offer.ts";
import type { OfferPeriod } from "./resolve-prices.ts";
import { checkSizes } from "./resolve-engine.ts";
import { type PoolContext, resolvePool } from "./resolve-pool.ts";
import type { Resolution } from "./resolution.ts";
import type { RequestClass, ResolvedOffer, ResolvedPool, ResolvedStrategy, RouteTarget } from "../scenario/resolved.ts";
import type { ClassFile, StrategyFile } from "./schema.ts";

interface StrategyContext extends PoolContext {
  readonly classes: readonly RequestClass[];
  readonly classFiles: readonly ClassFile[];
  readonly whatIfUnrestricted: boolean;
  readonly period: OfferPeriod;
  /** What provisioned units are sized for; null where the traffic did not resolve. */
  readonly demand: DemandContext | null;
  /** By class. */
  readonly userRegions: readonly (string | null)[];
}

/** Null when a pool or an offer did not resolve; the problems are in `resolution` then. */
export function resolveStrategy(
  resolution: Resolution,
  name: string,
  declared: StrategyFile,
  index: number,
  context: StrategyContext,
): ResolvedStrategy | null {
  const path: Path = ["strategies", name];
  const at = `strategies.${index}`;
  const file = withManagedPools(resolution, declared, path);
  const pools = Object.entries(file.pools).map(([pool, poolFile], i) => {
    const [poolPath, poolAt] = [[...path, "pools", pool], `${at}.pools.${i}`];
    const resolved = resolvePool(resolution, pool, poolFile, poolPath, poolAt, context, file.pools);
    return resolved === null ? null : managedPool(resolution, resolved, poolFile, poolPath, poolAt);
  });
  const offers = Object.entries(file.offers).map(([offer, offerFile], i) => {
    const [offerPath, offerAt] = [[...path, "offers", offer], `${at}.offers.${i}`];
    const resolved = resolveOffer(resolution, offer, offerFile, offerPath, offerAt, context.period);
    if (resolved === null) return null;
    const firstFor = context.classes.flatMap((cls, c) => (firstOf(file.routes[cls.name]) === offer ? [c] : []));
    return applyForm(resolution, resolved, offerFile, offerPath, offerAt, { ...context, firstFor });
  });
  const spillovers = Object.entries(file.offers).map(([offer, offerFile]) =>
    spilloverOf(resolution, offer, offerFile, Object.keys(file.offers), [...path, "offers", offer]),
  );
  offers.forEach((offer, i) => {
    if (offer === null || context.sizes === null) return;
    checkSizes(resolution, context.sizes, offer.contextTokens, "context", `offer ${offer.name}`, [
      ...path,
      "offers",
      Object.keys(file.offers)[i]!,
    ]);
  });
  noteLowerSpillover(resolution, path, offers, spillovers);
  const pathTo = (kind: "pools" | "offers", target: string, i: number): { pathSByClass?: readonly number[] } => {
    const named = file[kind][target]!;
    const { region, networkMs } = typeof named === "string" ? {} : named;
    const where = { name: target, region, networkMs };
    const paths = pathsByClass(resolution, context.userRegions, where, [...path, kind, target], `${at}.${kind}.${i}`);
    return paths === undefined ? {} : { pathSByClass: paths };
  };
  const pathsOfPools = Object.keys(file.pools).map((name, i) => pathTo("pools", name, i));
  const pathsOfOffers = Object.keys(file.offers).map((name, i) => pathTo("offers", name, i));
  const option = optionOf(resolution, file, path, at);
  const routes = checkRoutes(resolution, file, path, context, spillovers);
  const redaction = resolveRedaction(resolution, file.redaction, [...path, "redaction"], `${at}.redaction`);
  const client =
    file.client === undefined ? undefined : resolveClient(resolution, file.client, [...path, "client"], `${at}.client`);
  const dispatchOver = (routesByClass: readonly (readonly RouteTarget[])[]): StrategyDispatch =>
    resolveDispatch(
      resolution,
      file,
      context.classes.map((cls, c) => ({ name: cls.name, route: routesByClass[c]! })),
      Object.keys(file.pools),
      Object.keys(file.offers),
      context.period.startEpochS,
      path,
      at,
    );
  if (pools.includes(null) || offers.includes(null) || option === null || routes === null || client === null) {
    // What is wrong with the dispatch is told together with the rest.
    if (routes !== null) dispatchOver(routes);
    return null;
  }
  resolution.from(`${at}.name`, "file");
  resolution.fromFile(`${at}.title`, [...path, "title"], "file");
  // Of what is not empty each part has its own origin.
  if (pools.length === 0) resolution.from(`${at}.pools`, "file");
  if (offers.length === 0) resolution.from(`${at}.offers`, "file");
  resolution.from(`${at}.routes`, "file");
  resolution.from(`${at}.barred`, "derived");
  resolution.from(`${at}.forbidden`, "derived");
  resolution.from(`${at}.counterfactual`, context.whatIfUnrestricted ? "cli" : "derived");
  const parts = {
    pools: (pools as ResolvedPool[]).map((pool, i) => ({ ...pool, ...pathsOfPools[i] })),
    offers: (offers as ResolvedOffer[]).map((offer, i) => ({ ...offer, ...pathsOfOffers[i] })),
  };
  noteIdleOptions(resolution, file, parts.pools, context.classes, context.demand?.traffic ?? null, path);
  const filtered = applyBoundary(resolution, name, file, routes, parts, context);
  if (redaction !== undefined && !filtered.routes.some((route) => route.some(({ redact }) => redact === true)))
    resolution.warn(
      `${name}: redaction has no effect, since no redactable class goes below the level it needs as it is`,
    );
  const dispatch = dispatchOver(filtered.routes);
  const cache = file.responseCache;
  if (cache !== undefined) {
    for (const [field, of] of [
      ["hitFraction", "hitFraction"],
      ["ttlS", "ttlS"],
      ["latencyS", "latencyMs"],
    ] as const)
      resolution.fromFile(`${at}.responseCache.${field}`, [...path, "responseCache", of]);
    if (cache.hitFraction === null && context.classes.every(({ repeats }) => repeats === undefined))
      resolution.problem(
        [...path, "responseCache"],
        "no class says how often its prompts repeat, so that nothing could be answered from it",
        "give hitFraction here, or repeats in a class",
      );
  }
  const responseCache = cache && { hitFraction: cache.hitFraction, ttlS: cache.ttlS, latencyS: cache.latencyMs / 1000 };
  return {
    name,
    title: file.title ?? name,
    option,
    ...parts,
    ...filtered,
    ...(redaction === undefined ? {} : { redaction }),
    ...dispatch,
    ...(client === undefined ? {} : { client }),
    ...(responseCache === undefined ? {} : { responseCache }),
  };
}

function optionOf(
  resolution: Resolution,
  file: StrategyFile,
  path: Path,
  at: string,
): ResolvedStrategy["option"] | null {
  const hasPools = Object.keys(file.pools).length > 0;
  const hasOffers = Object.keys(file.offers).length > 0;
  const managed = hasPools && Object.values(file.pools).every((pool) => pool.managed !== undefined);
  if (!hasPools && !hasOffers) {
    resolution.problem(path, "a strategy needs at least one pool or offer");
    return null;
  }
  const implied = hasPools ? (hasOffers ? "split" : managed ? "private_managed" : "self") : "api";
  if (file.option !== undefined && file.option !== implied) {
    const has = {
      split: "pools and offers",
      private_managed: "managed pools only",
      self: "pools only",
      api: "offers only",
    }[implied];
    resolution.problem([...path, "option"], `is ${file.option}, but a strategy with ${has} is evidence for ${implied}`);
    return null;
  }
  resolution.fromFile(`${at}.option`, [...path, "option"], "derived");
  return implied;
}

/** Per class the declared targets; null after a problem. */
function checkRoutes(
  resolution: Resolution,
  file: StrategyFile,
  path: Path,
  context: StrategyContext,
  spillovers: readonly (string | null)[],
): RouteTarget[][] | null {
  const before = resolution.problems.length;
  const pools = Object.keys(file.pools);
  const offers = Object.keys(file.offers);
  for (const name of offers.filter((offer) => pools.includes(offer))) {
    resolution.problem(
      [...path, "offers", name],
      `${name} is used for both a pool and an offer of this strategy`,
      "give one of them another name",
    );
  }
  const classNames = context.classes.map((cls) => cls.name);
  for (const name of Object.keys(file.routes).filter((route) => !classNames.includes(route))) {
    resolution.problem([...path, "routes", name], `unknown class "${name}"`, hintFor(name, classNames));
  }
  const used = new Set([
    ...Object.values(file.pools).flatMap(({ handOff }) => (handOff === undefined ? [] : [handOff.to])),
    ...spillovers.filter((offer) => offer !== null),
  ]);
  const routes = classNames.map((className): RouteTarget[] => {
    const route = Object.hasOwn(file.routes, className) ? file.routes[className] : undefined;
    const at = [...path, "routes", className];
    if (route === undefined) {
      resolution.problem(
        at,
        `class ${className} has no route`,
        `add "${className}: [...]" with a pool or an offer of this strategy`,
      );
      return [];
    }
    const names = route.map((target) => (typeof target === "string" ? target : target.to));
    return route.flatMap((target, i): RouteTarget[] => {
      const name = names[i]!;
      const targetPath = typeof target === "string" ? [...at, i] : [...at, i, "to"];
      used.add(name);
      if (names.indexOf(name) < i) {
        resolution.problem(targetPath, `${name} is listed twice in this route`);
        return [];
      }
      const overflow = typeof target === "string" ? null : target.overflowInFlightPerReplica;
      if (pools.includes(name))
        return [{ kind: "pool", index: pools.indexOf(name), overflowInFlightPerReplica: overflow }];
      if (!offers.includes(name)) {
        resolution.problem(targetPath, `unknown pool or offer "${name}"`, hintFor(name, [...pools, ...offers]));
        return [];
      }
      if (overflow !== null) {
        resolution.problem(
          [...at, i, "overflowInFlightPerReplica"],
          `${name} is an offer, which has no replicas`,
          "a full offer passes on by itself when it answers 429",
        );
      }
      return [{ kind: "offer", index: offers.indexOf(name), overflowInFlightPerReplica: null }];
    });
  });
  for (const name of [...pools, ...offers].filter((target) => !used.has(target))) {
    resolution.warn(`${path.join(".")}: no route leads to ${name}`);
  }
  if (resolution.problems.length > before) return null;
  return routes.map((route) => withSpillover(route, offers, spillovers));
}

/** A route with the offer that takes what provisioned units refuse right behind them, unless it is in the route anyway. */
function withSpillover(
  route: readonly RouteTarget[],
  offers: readonly string[],
  spillovers: readonly (string | null)[],
): RouteTarget[] {
  const has = (index: number): boolean => route.some((target) => target.kind === "offer" && target.index === index);
  return route.flatMap((target): RouteTarget[] => {
    const spillover = target.kind === "offer" ? (spillovers[target.index] ?? null) : null;
    const index = spillover === null ? -1 : offers.indexOf(spillover);
    return index < 0 || has(index) ? [target] : [target, { kind: "offer", index, overflowInFlightPerReplica: null }];
  });
}

/** What spills over to less protection is worth a warning, though classes that need more are kept from it. */
function noteLowerSpillover(
  resolution: Resolution,
  path: Path,
  offers: readonly (ResolvedOffer | null)[],
  spillovers: readonly (string | null)[],
): void {
  offers.forEach((offer, i) => {
    const other = offers.find((candidate) => candidate?.name === spillovers[i]);
    if (offer && other && other.boundaryLevel < offer.boundaryLevel)
      resolution.warn(
        `${path.join(".")}: ${offer.name} (boundary level ${offer.boundaryLevel}) spills over to ${other.name} (level ${other.boundaryLevel}); classes that need more than that wait or fail instead`,
      );
  });
}

function firstOf(route: StrategyFile["routes"][string] | undefined): string | undefined {
  const first = route?.[0];
  return typeof first === "string" ? first : first?.to;
}

function applyBoundary(
  resolution: Resolution,
  name: string,
  file: StrategyFile,
  routes: readonly RouteTarget[][],
  { pools, offers }: { readonly pools: readonly ResolvedPool[]; readonly offers: readonly ResolvedOffer[] },
  context: StrategyContext,
): Pick<ResolvedStrategy, "routes" | "barred" | "forbidden" | "counterfactual"> {
  const lifted: string[] = [];
  const barred: (string | null)[] = [];
  const forbidden: RouteTarget[][] = [];
  const kept = routes.map((route, i) => {
    const classFile = context.classFiles[i]!;
    const boundariesOf = (target: RouteTarget): BoundaryTarget[] =>
      target.kind === "pool"
        ? withHandOff(pools, target.index).map((pool) => poolBoundary(resolution, pool, file))
        : [offerBoundary(offers[target.index]!)];
    const refused = route.map((target) => {
      for (const boundary of boundariesOf(target)) {
        const reason = refusal(classFile, context.classes[i]!.minLevel, boundary);
        if (reason !== null) return reason;
      }
      return null;
    });
    const reasons = refused.filter((reason) => reason !== null);
    if (context.whatIfUnrestricted) {
      if (reasons.length > 0) lifted.push(context.classes[i]!.name);
      barred.push(null);
      forbidden.push([]);
      return route;
    }
    const raw = file.redaction === undefined ? null : levelUnredacted(classFile);
    const rest = route
      .filter((_, k) => refused[k] === null)
      .map((target): RouteTarget => {
        const seesRaw = raw === null || boundariesOf(target).every((to) => refusal(classFile, raw, to) === null);
        return seesRaw ? target : { ...target, redact: true };
      });
    barred.push(rest.length === 0 ? reasons.join("; ") : null);
    forbidden.push(rest.length === 0 ? [] : route.filter((_, k) => refused[k] !== null));
    if (rest.length > 0)
      for (const reason of reasons) resolution.warn(`${name}: ${reason}; it is left out of the route`);
    return rest;
  });
  if (lifted.length > 0)
    resolution.warn(
      `${name}: boundary rules are lifted for ${lifted.join(", ")} (--what-if-unrestricted), so nothing of it is evidence for the verdict, which may be another one without the option`,
    );
  return {
    routes: kept.map(lastNeverOverflows),
    barred,
    ...(forbidden.every((targets) => targets.length === 0) ? {} : { forbidden }),
    counterfactual: lifted.length > 0,
  };
}

/** A pool and the one that goes on with its requests: both see them. */
function withHandOff(pools: readonly ResolvedPool[], index: number): ResolvedPool[] {
  const pool = pools[index]!;
  return pool.handOff === null ? [pool] : [pool, pools[pool.handOff.pool]!];
}

/** Behind the last target there is nothing to overflow to. */
function lastNeverOverflows(route: readonly RouteTarget[]): RouteTarget[] {
  return route.map((target, i) => (i === route.length - 1 ? { ...target, overflowInFlightPerReplica: null } : target));
}

function poolBoundary(resolution: Resolution, pool: ResolvedPool, file: StrategyFile): BoundaryTarget {
  const residency = file.pools[pool.name]?.residency ?? resolution.catalog.places.get(pool.place)?.residency ?? "";
  return { name: pool.name, kind: "pool", level: pool.boundaryLevel, place: pool.place, residency };
}

function offerBoundary(offer: ResolvedOffer): BoundaryTarget {
  return {
    name: offer.name,
    kind: "offer",
    level: offer.boundaryLevel,
    place: offer.place ?? null,
    residency: offer.residency,
  };
}

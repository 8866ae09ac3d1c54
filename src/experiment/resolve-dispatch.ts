/** Who chooses among the targets of a class's route, and what happens to targets that fail or are slow: names and options looked up. */
import { hintFor } from "../catalog/nearest.ts";
import type { DispatchOption, DispatchPlugin } from "../dispatch/policies/policy.ts";
import { DEFAULT_DISPATCH, dispatchNamed, dispatchPlugins } from "../dispatch/policies/registry.ts";
import { epochSOfIso } from "../kernel/calendar-time.ts";
import type { DispatchChoice, Step, StrategyDispatch } from "../scenario/dispatch.ts";
import type { RouteTarget } from "../scenario/resolved.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { StrategyFile } from "./schema.ts";
import type { DispatchOptionFile } from "./schema-dispatch.ts";

/** A class of the experiment with its targets, those left by the boundary rules. */
export interface ClassRoute {
  readonly name: string;
  readonly route: readonly RouteTarget[];
}

/** `targets` are all pools, then all offers of the strategy by name. Problems go to `resolution`. */
export function resolveDispatch(
  resolution: Resolution,
  file: StrategyFile,
  classes: readonly ClassRoute[],
  pools: readonly string[],
  offers: readonly string[],
  startEpochS: number,
  path: Path,
  at: string,
): StrategyDispatch {
  const { breaker, hedge } = file;
  if (breaker !== undefined) resolution.fromFile(`${at}.breaker`, [...path, "breaker"]);
  if (hedge !== undefined) {
    resolution.fromFile(`${at}.hedge`, [...path, "hedge"]);
    if (!classes.some(({ route }) => route.length > 1 && route.some(({ kind }) => kind === "offer")))
      resolution.problem(
        [...path, "hedge"],
        "no class has a second offer to hedge to",
        "hedges go to another offer of a class's route",
      );
  }
  return {
    ...choicesOf(resolution, file, classes, { pools, offers, startEpochS }, path, at),
    ...(breaker === undefined ? {} : { breaker }),
    ...(hedge === undefined ? {} : { hedge }),
  };
}

interface Targets {
  readonly pools: readonly string[];
  readonly offers: readonly string[];
  readonly startEpochS: number;
}

/** Says what is wrong at a place once, though a policy's options are looked at for each class. */
type Report = Resolution["problem"];

function onceEach(resolution: Resolution): Report {
  const said = new Set<string>();
  return (path, message, hint) => {
    const at = JSON.stringify(path);
    if (!said.has(at)) resolution.problem(path, message, hint);
    said.add(at);
  };
}

interface Named {
  readonly plugin: DispatchPlugin;
  readonly options: Readonly<Record<string, DispatchOptionFile>>;
  readonly path: Path;
}

function choicesOf(
  resolution: Resolution,
  file: StrategyFile,
  classes: readonly ClassRoute[],
  targets: Targets,
  path: Path,
  at: string,
): Pick<StrategyDispatch, "dispatch"> {
  if (file.dispatch === undefined) return {};
  const here = [...path, "dispatch"];
  resolution.fromFile(`${at}.dispatch`, here);
  const whole = typeof file.dispatch === "string" ? { policy: file.dispatch, options: {} } : file.dispatch;
  const inherited = named(resolution, whole, typeof file.dispatch === "string" ? null : here, here);
  const byClass = "byClass" in whole ? whole.byClass : {};
  const report = onceEach(resolution);
  const names = classes.map(({ name }) => name);
  for (const name of Object.keys(byClass).filter((one) => !names.includes(one)))
    resolution.problem([...here, "byClass", name], `unknown class "${name}"`, hintFor(name, names));
  const dispatch = classes.map(({ name, route }): DispatchChoice | null => {
    const own = Object.hasOwn(byClass, name) ? byClass[name] : undefined;
    const ownPath = [...here, "byClass", name];
    const choice =
      own === undefined
        ? inherited
        : named(
            resolution,
            typeof own === "string" ? { policy: own, options: {} } : own,
            typeof own === "string" ? null : ownPath,
            ownPath,
          );
    if (choice === null || choice.plugin.name === DEFAULT_DISPATCH) return null;
    return optionsOf(report, choice, route, targets);
  });
  return { dispatch };
}

/** `group` is the path of the group that names policy and options, null when the name stands alone at `path`. */
function named(
  resolution: Resolution,
  { policy, options }: { readonly policy: string; readonly options: Named["options"] },
  group: Path | null,
  path: Path,
): Named | null {
  const plugin = dispatchNamed(policy);
  if (plugin === undefined) {
    const names = dispatchPlugins.map(({ name }) => name);
    resolution.problem(
      group === null ? path : [...group, "policy"],
      `unknown dispatch policy "${policy}"`,
      hintFor(policy, names) ?? `known: ${names.join(", ")}`,
    );
    return null;
  }
  const optionsPath = group === null ? path : [...group, "options"];
  const known = Object.keys(plugin.options);
  for (const option of Object.keys(options).filter((one) => !known.includes(one)))
    resolution.problem(
      [...optionsPath, option],
      `${plugin.name} has no option "${option}"`,
      hintFor(option, known) ?? `its options: ${known.join(", ") || "none"}`,
    );
  return { plugin, options, path: optionsPath };
}

function optionsOf(
  report: Report,
  { plugin, options, path }: Named,
  route: readonly RouteTarget[],
  targets: Targets,
): DispatchChoice {
  const numbers: Record<string, number> = {};
  const byTarget: Record<string, readonly number[]> = {};
  const steps: Record<string, readonly Step[]> = {};
  for (const [name, option] of Object.entries(plugin.options)) {
    const given = options[name];
    const at = [...path, name];
    if (option.kind === "number") numbers[name] = numberOf(report, given, option, at) ?? option.default;
    else if (option.kind === "by-target") byTarget[name] = byTargetOf(report, given, option, route, targets, at);
    else steps[name] = stepsOf(report, given, option, targets.startEpochS, at);
  }
  return { policy: plugin.name, numbers, byTarget, steps };
}

function numberOf(
  report: Report,
  given: DispatchOptionFile | undefined,
  { min, max, doc }: DispatchOption,
  path: Path,
): number | null {
  if (given === undefined) return null;
  if (typeof given !== "number") {
    report(path, "expected a number", doc);
    return null;
  }
  if (given < min || given > max) {
    report(path, `expected a number from ${min} to ${max}, got ${given}`, doc);
    return null;
  }
  return given;
}

function byTargetOf(
  report: Report,
  given: DispatchOptionFile | undefined,
  option: Extract<DispatchOption, { kind: "by-target" }>,
  route: readonly RouteTarget[],
  { pools, offers }: Targets,
  path: Path,
): number[] {
  const names = route.map(({ kind, index }) => (kind === "pool" ? pools : offers)[index]!);
  if (given === undefined) return names.map(() => option.default);
  if (typeof given === "number" || Array.isArray(given)) {
    report(path, "expected a number for each target by its name", option.doc);
    return [];
  }
  const all = [...pools, ...offers];
  for (const [name, value] of Object.entries(given)) {
    if (!all.includes(name)) report([...path, name], `unknown pool or offer "${name}"`, hintFor(name, all));
    numberOf(report, value, option, [...path, name]);
  }
  return names.map((name) => given[name] ?? option.default);
}

function stepsOf(
  report: Report,
  given: DispatchOptionFile | undefined,
  option: DispatchOption,
  startEpochS: number,
  path: Path,
): Step[] {
  if (given === undefined || !Array.isArray(given) || given.length === 0) {
    report(
      path,
      "expected a list of dates and values",
      `${option.doc}; for example [{ from: 2026-12-01T00:00:00Z, value: 0.5 }]`,
    );
    return [];
  }
  const steps = given.map(({ from, value }, i): Step => {
    numberOf(report, value, option, [...path, i, "value"]);
    // The schema has checked it.
    return { fromS: epochSOfIso(from)! - startEpochS, value };
  });
  steps.forEach(({ fromS }, i) => {
    if (i > 0 && fromS <= steps[i - 1]!.fromS)
      report([...path, i, "from"], "expected a later date than the one before");
  });
  return steps;
}

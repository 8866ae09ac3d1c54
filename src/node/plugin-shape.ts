/** Is what a plug-in file exports a policy? Every problem at once, with the nearest name where one was misspelt. */
import { hintFor } from "../catalog/nearest.ts";
import type { PolicyPlugin } from "../engine/policies/policy.ts";
import type { Problem } from "../kernel/errors.ts";

const FIELDS = {
  batching: ["kind", "name", "doc", "options", "create"],
  order: ["kind", "name", "doc", "options", "create", "victim", "charges"],
} as const;
const OPTION_FIELDS = ["default", "min", "max", "doc", "whole"];
const VICTIMS = ["last-admitted", "least-urgent"];

type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

/** The exports that are meant as plug-ins. */
export function pluginExports(exported: Fields): [name: string, value: Fields][] {
  return Object.entries(exported).filter((entry): entry is [string, Fields] => {
    const value = entry[1];
    return isObject(value) && ("kind" in value || "create" in value);
  });
}

/** What is wrong with one of them; empty when it is a PolicyPlugin. */
export function problemsOf(file: string, exportName: string, plugin: Fields): Problem[] {
  const problems: Problem[] = [];
  const complain = (path: readonly string[], message: string, hint?: string): void => {
    problems.push({ file, path: [exportName, ...path], message, ...(hint === undefined ? {} : { hint }) });
  };
  const { kind } = plugin;
  if (kind !== "batching" && kind !== "order") {
    complain(["kind"], `expected "batching" or "order", got ${shown(kind)}`, nearestHint(kind, Object.keys(FIELDS)));
    return problems;
  }
  for (const field of Object.keys(plugin))
    if (!(FIELDS[kind] as readonly string[]).includes(field))
      complain([field], `a plug-in of kind ${kind} has no such field`, hintFor(field, FIELDS[kind]));
  if (typeof plugin.name !== "string" || !/^[a-z][a-z0-9-]*$/.test(plugin.name))
    complain(
      ["name"],
      `expected lower-case letters, digits and hyphens, such as "my-scheduler", got ${shown(plugin.name)}`,
    );
  if (typeof plugin.doc !== "string" || plugin.doc.trim() === "")
    complain(["doc"], "must say in a sentence what the policy does");
  if (!isObject(plugin.options)) complain(["options"], "expected an object: {} for a policy without options");
  else for (const [name, option] of Object.entries(plugin.options)) checkOption(name, option, complain);
  if (kind === "order" && !VICTIMS.includes(plugin.victim as string))
    complain(
      ["victim"],
      `expected "last-admitted" or "least-urgent", got ${shown(plugin.victim)}`,
      nearestHint(plugin.victim, VICTIMS),
    );
  if (plugin.charges !== undefined && typeof plugin.charges !== "function")
    complain(["charges"], "expected a function");
  if (typeof plugin.create !== "function")
    complain(["create"], "expected a function that makes the policy from its options");
  if (problems.length > 0) return problems;
  checkMade(plugin as unknown as PolicyPlugin, complain);
  return problems;
}

type Complain = (path: readonly string[], message: string, hint?: string) => void;

function checkOption(name: string, option: unknown, complain: Complain): void {
  const at = (field: string): string[] => ["options", name, field];
  if (!isObject(option)) {
    complain(["options", name], "expected { default, min, max, doc }");
    return;
  }
  for (const field of Object.keys(option))
    if (!OPTION_FIELDS.includes(field))
      complain(at(field), "an option has no such field", hintFor(field, OPTION_FIELDS));
  const numbers = [option.min, option.default, option.max];
  ["min", "default", "max"].forEach((field, i) => {
    if (typeof numbers[i] !== "number" || !Number.isFinite(numbers[i]))
      complain(at(field), `expected a number, got ${shown(numbers[i])}: options are numbers so that they can be swept`);
  });
  const [min, preset, max] = numbers as [number, number, number];
  if (min > preset || preset > max)
    complain(["options", name], `min ${min} ≤ default ${preset} ≤ max ${max} must hold`);
  if (option.whole !== undefined && typeof option.whole !== "boolean")
    complain(at("whole"), `expected true or false, got ${shown(option.whole)}`);
  else if (option.whole === true && !Number.isInteger(preset))
    complain(at("default"), `expected a whole number, as the option declares, got ${preset}`);
  if (typeof option.doc !== "string" || option.doc.trim() === "") complain(at("doc"), "must say what the option does");
}

/** Makes one with its defaults and looks at it. */
function checkMade(plugin: PolicyPlugin, complain: Complain): void {
  let made: unknown;
  const asked = new Set<string>();
  try {
    made = plugin.create(watchedDefaults(plugin, asked));
  } catch (error) {
    complain(["create"], `fails with the default options: ${String(error)}`);
    return;
  }
  for (const name of asked)
    complain(["create"], `reads an option ${name}, which is not declared`, hintFor(name, Object.keys(plugin.options)));
  const must = plugin.kind === "batching" ? "schedule" : "key";
  const may = plugin.kind === "batching" ? ["leap", "wakes"] : [];
  if (made instanceof Promise) {
    made.catch(() => {});
    complain(["create"], "returns a promise: it must have made the policy when it returns");
    return;
  }
  if (!isObject(made) || typeof made[must] !== "function") {
    complain(["create"], `must return an object with a method ${must}`);
    return;
  }
  for (const method of [must, ...may])
    if (made[method] !== undefined && typeof made[method] !== "function")
      complain(["create"], `returns a ${method} that is not a function but ${shown(made[method])}`);
    else if (/^Async|Generator/.test(made[method]?.constructor.name ?? ""))
      complain(["create"], `returns a ${method} that is async or a generator: it must have decided when it returns`);
}

/** What a library may ask any object for. */
const ASKED_OF_ALL = ["toJSON", "then"];

/** The default options; names that are not among them and are read all the same go into `asked`: a slip would be NaN in a formula. */
function watchedDefaults(plugin: PolicyPlugin, asked: Set<string>): Record<string, number> {
  const defaults = Object.fromEntries(Object.entries(plugin.options).map(([name, { default: d }]) => [name, d]));
  return new Proxy(defaults, {
    get(options, name) {
      if (typeof name === "string" && !(name in options) && !ASKED_OF_ALL.includes(name)) asked.add(name);
      return Reflect.get(options, name) as unknown;
    },
  });
}

function shown(value: unknown): string {
  return value === undefined ? "nothing" : typeof value === "function" ? "a function" : JSON.stringify(value);
}

function nearestHint(value: unknown, names: readonly string[]): string | undefined {
  return typeof value === "string" ? hintFor(value, names) : undefined;
}

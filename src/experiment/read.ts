/**
 * From plain data to a checked experiment file: runs the schema and says in plain words what is wrong, with the nearest
 * known name and, where a value carries a unit, the value in the unit of its field.
 */
import { explained, type Explained, type Issue, type Path, valueAt } from "../catalog/explain.ts";
import type { Problem } from "../kernel/errors.ts";
import { ExperimentSchema } from "./schema.ts";
import type { ExperimentFile } from "./schema.ts";

export { schemasAt, valueAt } from "../catalog/explain.ts";
export type { FieldSchema, Path } from "../catalog/explain.ts";

interface ReadExperiment {
  /** Null when what is wrong leaves nothing to look at further. */
  readonly experiment: ExperimentFile | null;
  readonly problems: readonly Problem[];
}

/**
 * Checks `raw` against the schema. What is wrong is then put aside (misspelt fields renamed, wrong ones left out or stood in
 * for) and the rest read again, so that the caller can look for problems of meaning in the same go; those that concern a
 * field reported here are to be ignored.
 */
export function readExperiment(raw: unknown): ReadExperiment {
  const result = ExperimentSchema.safeParse(raw, { reportInput: true });
  if (result.success) return { experiment: result.data, problems: [] };
  const repaired = copy(raw);
  const found = explained(ExperimentSchema, result.error.issues, raw);
  const renamed = found.flatMap((problem) => rename(repaired, problem));
  // A field that is missing because its name is misspelt has been reported with the misspelling.
  const problems = found.filter(({ path, onKey }) => onKey === true || !renamed.some((to) => samePath(to, path)));
  for (const problem of found) if (!renamed.some((to) => samePath(to, problem.path))) remove(repaired, problem.path);
  const experiment = readRest(repaired);
  const isNamed = (i: number): boolean => !found.some(({ path }) => samePath(path, ["classes", i, "name"]));
  return {
    experiment: experiment && {
      ...experiment,
      classes: experiment.classes.map((one, i) => (isNamed(i) ? one : { ...one, name: STAND_IN_NAME })),
    },
    problems: problems.map(({ path, message, hint, onKey }) => ({
      path,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(onKey === undefined ? {} : { onKey }),
    })),
  };
}

/** Rounds of standing in for required fields: each can bring groups whose own required fields are then missing. */
const ROUNDS = 4;
/** A valid name, text and date at once. */
const STAND_IN_TEXT = "2026-01-01";
/** Takes the place of a class's name that is none; no file can hold it as one. What is said of it concerns a field that is reported already. */
export const STAND_IN_NAME = "\u0000";

function readRest(repaired: unknown): ExperimentFile | null {
  for (let round = 0; round < ROUNDS; round++) {
    const result = ExperimentSchema.safeParse(repaired, { reportInput: true });
    if (result.success) return result.data;
    for (const issue of result.error.issues as unknown as Issue[]) {
      const parent = valueAt(repaired, (issue.path as Path).slice(0, -1));
      const key = issue.path.at(-1);
      if (issue.input !== undefined || typeof parent !== "object" || parent === null || typeof key !== "string")
        return null;
      const standIns: Readonly<Record<string, unknown>> = {
        string: STAND_IN_TEXT,
        number: 1,
        int: 1,
        array: [],
        object: {},
        record: {},
        boolean: false,
      };
      const standIn =
        issue.code === "invalid_value" ? (issue["values"] as unknown[])[0] : standIns[String(issue["expected"])];
      (parent as Record<string, unknown>)[key] = standIn ?? STAND_IN_TEXT;
    }
  }
  return null;
}

/** True if one path lies on the other: such problems have one cause. */
export function related(a: Path, b: Path): boolean {
  return (
    a.slice(0, b.length).every((step, i) => step === b[i]) && b.slice(0, a.length).every((step, i) => step === a[i])
  );
}

/** Plain data again, so that leaving fields out does not touch the caller's. */
function copy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copy);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, copy(child)]));
}

/** Gives a misspelt field the name it was meant to have, if that is free: its new path, or nothing. */
function rename(raw: unknown, { path, meant }: Explained): Path[] {
  const parent = valueAt(raw, path.slice(0, -1)) as Record<string, unknown> | undefined;
  if (meant === undefined || parent === undefined || Object.hasOwn(parent, meant)) return [];
  const key = String(path.at(-1));
  parent[meant] = parent[key];
  delete parent[key];
  return [[...path.slice(0, -1), meant]];
}

function samePath(a: Path, b: Path): boolean {
  return a.length === b.length && related(a, b);
}

/** Leaves a field out. An entry of a list stays, since the paths of its neighbours must not move. */
function remove(raw: unknown, path: Path): void {
  const parent = valueAt(raw, path.slice(0, -1));
  const key = path.at(-1);
  if (typeof parent !== "object" || parent === null || typeof key !== "string") return;
  delete (parent as Record<string, unknown>)[key];
}

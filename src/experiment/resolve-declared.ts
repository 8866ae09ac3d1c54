/**
 * The assumptions that the file itself makes: every number the user wrote (`declared`), and every default of the schema
 * that nobody measured and the file leaves (`assumed`). Read off the schema, so that a new field needs nothing here.
 */
import { schemasAt } from "./read.ts";
import type { FieldSchema, Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import { DEFAULTS_AS_OF } from "./schema.ts";
import { fieldUnit } from "./units.ts";

/** Settings of the run rather than statements about the world. */
const SETTINGS = new Set(["asOf", "start", "days", "warmupMinutes", "seed", "replications"]);
/** Words that matter like numbers; other words name entries of the catalogue, which are listed with theirs. */
const WORDS = new Set(["sensitivity", "quality", "need", "place", "weightDtype", "kvDtype", "minLevel"]);

export function noteDeclared(resolution: Resolution, root: FieldSchema, raw: unknown, asOf: string): void {
  walk(resolution, root, raw, [], [], asOf);
}

function walk(
  resolution: Resolution,
  root: FieldSchema,
  value: unknown,
  path: Path,
  names: readonly string[],
  asOf: string,
): void {
  if (path.length === 1 && SETTINGS.has(String(path[0]))) return;
  const schemas = schemasAt(root, path);
  if (Array.isArray(value)) {
    if (value.length > 0 && value.every((item) => typeof item === "number")) {
      declare(resolution, schemas, JSON.stringify(value), path, names, asOf);
      return;
    }
    value.forEach((item: unknown, i) =>
      walk(resolution, root, item, [...path, i], [...names, nameOf(item) ?? String(i)], asOf),
    );
  } else if (typeof value === "object" && value !== null) {
    for (const [key, child] of Object.entries(value))
      walk(resolution, root, child, [...path, key], [...names, key], asOf);
    for (const schema of schemas) noteDefaults(resolution, schema, value, names);
  } else if (typeof value === "number" || typeof value === "boolean" || WORDS.has(String(path.at(-1)))) {
    if (value !== null && value !== undefined) {
      declare(resolution, schemas, typeof value === "number" ? value : String(value), path, names, asOf);
    }
  }
}

function declare(
  resolution: Resolution,
  schemas: readonly FieldSchema[],
  value: number | string,
  path: Path,
  names: readonly string[],
  asOf: string,
): void {
  const field = String(path.at(-1));
  const described = schemas.find((schema) => schema.description !== undefined);
  resolution.assume({
    id: `experiment/${names.join("/")}`,
    label: described?.description ?? names.join(" "),
    value,
    unit: described?.unit ?? fieldUnit(field),
    kind: "declared",
    source: "experiment file",
    asOf,
  });
}

/** Defaults marked as assumed of the fields that `value` leaves, also inside groups that it leaves altogether. */
function noteDefaults(resolution: Resolution, schema: FieldSchema, value: object, names: readonly string[]): void {
  for (const [field, property] of Object.entries(schema.properties ?? {})) {
    if (Object.hasOwn(value, field)) continue;
    if (property.kind === "assumed" && typeof property.default === "number") {
      resolution.assume({
        id: `experiment/${[...names, field].join("/")}`,
        label: property.description ?? field,
        value: property.default,
        unit: property.unit ?? fieldUnit(field),
        kind: "assumed",
        source: property.source ?? "default of the experiment schema",
        asOf: DEFAULTS_AS_OF,
      });
    } else if (property.properties !== undefined && property.default !== undefined) {
      noteDefaults(resolution, property, {}, [...names, field]);
    }
  }
}

function nameOf(item: unknown): string | null {
  return typeof item === "object" && item !== null && "name" in item && typeof item.name === "string"
    ? item.name
    : null;
}

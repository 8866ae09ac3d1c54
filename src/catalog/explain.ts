/**
 * Says in plain words what a schema found wrong in what somebody wrote: with the nearest known name and, where a value carries
 * a unit, the value in the unit of its field.
 */
import { z } from "zod";
import type { Problem } from "../kernel/errors.ts";
import { nearest } from "./nearest.ts";

export type Path = readonly (string | number)[];

/** The parts of JSON Schema that the look-ups here read. */
export interface FieldSchema {
  readonly description?: string;
  readonly default?: unknown;
  readonly unit?: string;
  readonly kind?: string;
  readonly source?: string;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly additionalProperties?: FieldSchema | boolean;
  readonly items?: FieldSchema;
  readonly anyOf?: readonly FieldSchema[];
  readonly oneOf?: readonly FieldSchema[];
}

/** What zod reports, as far as it is looked at. */
export type Issue = Readonly<{ code?: string; path: readonly PropertyKey[]; message: string; input?: unknown }> &
  Readonly<Record<string, unknown>>;

/** The schemas that may describe what stands at `path`, unions spread out. */
export function schemasAt(root: FieldSchema, path: Path): readonly FieldSchema[] {
  let here = spread([root]);
  for (const step of path) {
    const next = here.flatMap((schema) => {
      if (typeof step === "number") return schema.items === undefined ? [] : [schema.items];
      const property = schema.properties?.[step];
      if (property !== undefined) return [property];
      return typeof schema.additionalProperties === "object" ? [schema.additionalProperties] : [];
    });
    here = spread(next);
  }
  return here;
}

function spread(schemas: readonly FieldSchema[]): readonly FieldSchema[] {
  return schemas.flatMap((schema) => {
    const options = schema.anyOf ?? schema.oneOf;
    if (options === undefined) return [schema];
    // The description and the unit of a union stand beside its options.
    return spread(
      options.map((option) => ({ ...schema, anyOf: undefined, oneOf: undefined, ...option }) as FieldSchema),
    );
  });
}

/** A problem, with the name that a misspelt field was meant to have. */
export interface Explained extends Problem {
  readonly meant?: string;
}

/** What `schema` found wrong in `raw`, every issue of it as problems. */
export function explained(schema: z.ZodType, issues: readonly object[], raw: unknown): Explained[] {
  const root = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as FieldSchema;
  return (issues as readonly Issue[]).flatMap((issue) => explain(issue, [], root, raw));
}

function explain(issue: Issue, base: Path, root: FieldSchema, raw: unknown): Explained[] {
  const path: Path = [...base, ...(issue.path as Path)];
  const name = String(path.at(-1) ?? "the file");
  switch (issue.code) {
    case "unrecognized_keys":
      return (issue["keys"] as string[]).map((key) => unknownField([...path, key], key, root, raw));
    case "invalid_union": {
      const options = issue["errors"] as Issue[][];
      if (options.length === 0) {
        const allowed = issue["options"] as string[];
        return [oneOf(path, allowed, valueAt(raw, path))];
      }
      // The option whose own type fits is the one that was meant; its problems are the useful ones.
      const meant = options.find(
        (issues) => !issues.some((inner) => inner.path.length === 0 && inner.code !== "unrecognized_keys"),
      );
      if (meant !== undefined) return meant.flatMap((inner) => explain(inner, path, root, raw));
      const first = options.find((issues) =>
        issues.some((inner) => inner.code === "too_small" || inner.code === "too_big" || inner.code === "custom"),
      );
      if (first !== undefined) return first.flatMap((inner) => explain(inner, path, root, raw));
      const kinds = [...new Set(options.flat().map((inner) => expectation(inner, name)))];
      return [problem(path, `expected ${kinds.join(" or ")}, got ${show(valueAt(raw, path))}`, docHint(root, path))];
    }
    case "invalid_value":
      return [oneOf(path, issue["values"] as (string | number)[], valueAt(raw, path), docHint(root, path))];
    case "invalid_type": {
      const value = valueAt(raw, path);
      if (value === undefined || value === null) {
        const message = value === null ? "has no value" : "is missing";
        return [problem(path, `${message}: ${expectation(issue, name)} is needed here`, docHint(root, path))];
      }
      return [
        problem(
          path,
          `expected ${expectation(issue, name)}, got ${show(value)}`,
          quantityHint(value, name) ?? docHint(root, path),
        ),
      ];
    }
    case "too_small":
    case "too_big":
      return [problem(path, `${bound(issue)}, got ${show(valueAt(raw, path))}`, docHint(root, path))];
    case "invalid_key":
      return [
        {
          ...problem(
            path,
            `${show(name)} is not a valid name: ${(issue["issues"] as Issue[])[0]?.message ?? issue.message}`,
            undefined,
          ),
          onKey: true,
        },
      ];
    default: {
      const got = `got ${show(valueAt(raw, path))}`;
      const { message } = issue;
      return [problem(path, message.startsWith("expected ") ? `${message}, ${got}` : `${message} (${got})`, undefined)];
    }
  }
}

function problem(path: Path, message: string, hint: string | undefined): Problem {
  return hint === undefined ? { path, message } : { path, message, hint };
}

function unknownField(path: Path, key: string, root: FieldSchema, raw: unknown): Explained {
  const parent = path.slice(0, -1);
  const known = [...new Set(meantSchemas(root, parent, raw).flatMap((schema) => Object.keys(schema.properties ?? {})))];
  const sameStem = known.find((name) => name.toLowerCase() !== key.toLowerCase() && stem(name) === stem(key));
  const close = sameStem ?? nearest(key, known);
  let hint: string;
  if (sameStem !== undefined && unitOf(sameStem) !== undefined && unitOf(sameStem) !== unitOf(key)) {
    hint = `units are part of the name: write ${sameStem}, in ${unitOf(sameStem)}`;
  } else if (close !== null) hint = `did you mean ${close}?`;
  else {
    const elsewhere = placesOf(key, root);
    hint =
      elsewhere.length > 0
        ? `${key} belongs under ${elsewhere.slice(0, 3).join(" or ")}`
        : `known here: ${known.join(", ")}`;
  }
  const unknown = { path, message: "unknown field", hint, onKey: true };
  // A value in another unit may not move over as it stands.
  return close === null || close === sameStem ? unknown : { ...unknown, meant: close };
}

/** Of the options of a union told apart by `kind`, the one that was chosen. */
function meantSchemas(root: FieldSchema, path: Path, raw: unknown): readonly FieldSchema[] {
  const all = schemasAt(root, path);
  const value = valueAt(raw, path);
  const kind = typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
  const chosen = all.filter(
    (schema) => kind !== undefined && (schema.properties?.["kind"] as { const?: unknown } | undefined)?.const === kind,
  );
  return chosen.length > 0 ? chosen : all;
}

/** Dotted places where a field of this name exists. */
function placesOf(key: string, schema: FieldSchema, at = ""): string[] {
  return spread([schema]).flatMap((option) => {
    const here = option.properties !== undefined && key in option.properties && at !== "" ? [at] : [];
    const below = Object.entries(option.properties ?? {}).flatMap(([name, child]) =>
      placesOf(key, child, at === "" ? name : `${at}.${name}`),
    );
    const items = option.items === undefined ? [] : placesOf(key, option.items, `${at}[]`);
    const named =
      typeof option.additionalProperties === "object" ? placesOf(key, option.additionalProperties, `${at}.<name>`) : [];
    return [...here, ...below, ...items, ...named];
  });
}

const UNITS: readonly (readonly [suffix: RegExp, unit: string, perSecond: number | null])[] = [
  [/UsdPerGpuHour$|usdPerGpuHour$/, "USD per GPU and hour", null],
  [/PerMin$/, "units per minute", null],
  [/PerMonth$/, "a fraction or count per month", null],
  [/PerS$/, "per second", null],
  [/SPerKTok$/, "seconds per 1,000 tokens", null],
  [/Tokens$/, "tokens", null],
  [/Minutes$/, "minutes", 1 / 60],
  [/Ms$/, "milliseconds", 1000],
  [/[a-z]H$/, "hours", 1 / 3600],
  [/[a-z]S$/, "seconds", 1],
  [/Fraction$/, "a fraction from 0 to 1", null],
  [/^days$/, "days", 1 / 86400],
];

function unitOf(name: string): string | undefined {
  return UNITS.find(([suffix]) => suffix.test(name))?.[1];
}

/** The name without its unit: `ttftMs`, `ttftS`, `ttft_ms` and `ttft` share one. */
function stem(name: string): string {
  const bare = name
    .replace(/[-_]/g, "")
    .replace(/(PerS|PerMin|PerMonth|PerDay|Tokens|Minutes|Ms|S|H|Sec|Seconds|Hours|Fraction|Pct|Percent)$/, "");
  return bare.replace(/(ms|sec|seconds|minutes|hours|percent)$/, "").toLowerCase();
}

const SECONDS = new Map([
  ["ms", 0.001],
  ["s", 1],
  ["sec", 1],
  ["second", 1],
  ["seconds", 1],
  ["m", 60],
  ["min", 60],
  ["minutes", 60],
  ["h", 3600],
  ["hours", 3600],
  ["d", 86400],
  ["day", 86400],
  ["days", 86400],
]);
const MULTIPLES = new Map([
  ["", 1],
  ["k", 1e3],
  ["K", 1e3],
  ["M", 1e6],
  ["G", 1e9],
  ["B", 1e9],
]);

/** For text such as "3s", "400k" or "5%" where a number is needed: that number in the unit of the field. */
function quantityHint(value: unknown, name: string): string | undefined {
  const match = typeof value === "string" ? /^\s*([+-]?[\d._,]*\d)\s*([a-zA-Z%]*)\s*$/.exec(value) : null;
  if (match === null) return undefined;
  const amount = Number(match[1]!.replace(/[_,]/g, ""));
  const suffix = match[2]!;
  const unit = UNITS.find(([pattern]) => pattern.test(name));
  const tidy = (x: number): string => String(Number(x.toPrecision(12)));
  const seconds = SECONDS.get(suffix.toLowerCase());
  if (unit !== undefined && unit[2] !== null && seconds !== undefined) {
    return `the field is in ${unit[1]}: write ${tidy(amount * seconds * unit[2])}`;
  }
  if (suffix === "%") return `write it as a fraction: ${tidy(amount / 100)}`;
  const multiple = MULTIPLES.get(suffix);
  if (multiple !== undefined) return `write a plain number: ${tidy(amount * multiple)}`;
  return unit === undefined ? undefined : `the field is in ${unit[1]}: write a plain number`;
}

function expectation(issue: Issue, name: string): string {
  if (issue.code === "invalid_value") return (issue["values"] as (string | number)[]).join(", ");
  const expected = String(issue["expected"] ?? issue["format"] ?? "another value");
  if (expected === "number") return unitOf(name) === undefined ? "a number" : `a number (${unitOf(name)})`;
  if (expected === "int" || expected === "safeint") return "a whole number";
  if (expected === "string") return "text";
  if (expected === "object" || expected === "record") return "a group of fields";
  if (expected === "array") return "a list";
  if (expected === "boolean") return "true or false";
  return expected;
}

function bound(issue: Issue): string {
  const least = issue.code === "too_small";
  const limit = issue[least ? "minimum" : "maximum"];
  if (issue["origin"] === "string") return "expected text that is not empty";
  if (issue["origin"] === "array")
    return `expected ${least ? "at least" : "at most"} ${String(limit)} ${limit === 1 ? "entry" : "entries"}`;
  if (issue["inclusive"] === true) return `expected ${least ? "at least" : "at most"} ${String(limit)}`;
  return `expected ${least ? "a number above" : "a number below"} ${String(limit)}`;
}

function oneOf(path: Path, allowed: readonly (string | number)[], value: unknown, doc?: string): Problem {
  const close = typeof value === "string" ? nearest(value, allowed.map(String)) : null;
  if (value === undefined) return problem(path, `is missing: one of ${allowed.join(", ")} is needed here`, doc);
  return problem(
    path,
    `expected one of ${allowed.join(", ")}, got ${show(value)}`,
    close === null ? doc : `did you mean ${close}?`,
  );
}

function docHint(root: FieldSchema, path: Path): string | undefined {
  return schemasAt(root, path).find((schema) => schema.description !== undefined)?.description;
}

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  // JSON has no infinity.
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** What stands at `path` in plain data; undefined where nothing does. */
export function valueAt(raw: unknown, path: Path): unknown {
  let here = raw;
  for (const step of path) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, step)) return undefined;
    here = (here as Readonly<Record<string | number, unknown>>)[step];
  }
  return here;
}

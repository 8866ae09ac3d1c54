/** The fields of a Hugging Face `config.json` by their usual names, with what is wrong with each. */
import type { Problem } from "../kernel/errors.ts";
import type { Family, Json } from "./hf-families.ts";

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads fields by their usual names, and collects what is missing or of the wrong form. */
export class Fields {
  readonly problems: Problem[] = [];
  private readonly json: Json;
  private readonly text: Json;
  private readonly around: Json;
  private readonly part: string | undefined;
  private readonly names: Readonly<Record<string, string>>;

  /** @param part key of the language model's own object in `config`, whose fields go before those around it */
  constructor(config: Json, part: string | undefined, family: Family) {
    this.text = part === undefined ? config : (config[part] as Json);
    this.around = config;
    const own = { ...config, ...family.defaults, ...this.text };
    this.json = { ...own, ...family.derived?.(own) };
    this.part = part;
    this.names = family.names ?? {};
  }

  /** Fields that several sizes follow from are read more than once. */
  problem(problem: Problem): void {
    const known = this.problems.some(
      ({ path, message }) => path.join() === problem.path.join() && message === problem.message,
    );
    if (!known) this.problems.push(problem);
  }

  /** Where a field of that usual name stands, or would stand. */
  path(name: string): readonly string[] {
    const own = this.names[name];
    const shown = own !== undefined && (this.inside(own) !== undefined || !present(this.json[name])) ? own : name;
    const steps = shown.split(".");
    const isAround = !Object.hasOwn(this.text, steps[0]!) && Object.hasOwn(this.around, steps[0]!);
    return this.part === undefined || isAround ? steps : [this.part, ...steps];
  }

  /** Whether all of them are there and nothing is wrong with them, so that they can be compared. */
  sound(...names: readonly string[]): boolean {
    const isWrong = (name: string): boolean => this.problems.some(({ path }) => path.join() === this.path(name).join());
    return names.every((name) => this.has(name) && !isWrong(name));
  }

  has(name: string): boolean {
    return present(this.value(name));
  }

  /** A whole number from `least`, or undefined where the field is absent or null. A list of one number for all layers is that number. */
  optional(name: string, { least = 0 } = {}): number | undefined {
    const given = this.value(name);
    if (!present(given)) return undefined;
    const value: unknown = Array.isArray(given) && new Set(given).size === 1 ? given[0] : given;
    if (typeof value === "number" && Number.isInteger(value) && value >= least) return value;
    const form = Array.isArray(value)
      ? "differs between layers, which is not modelled"
      : `expected a whole number from ${least}, got ${JSON.stringify(value)}`;
    this.problem({ path: this.path(name), message: form });
    return undefined;
  }

  /** At least 1. The absence of the field, or of it and of those that it may also be called, is a problem, and 1 is returned. */
  count(name: string, options: { readonly also?: readonly string[]; readonly most?: number } = {}): number {
    const { also = [], most = Infinity } = options;
    const there = [name, ...also].find((candidate) => this.has(candidate));
    if (there === undefined) {
      const hint = also.length > 0 ? { hint: `it may also be called ${also.join(" or ")}` } : {};
      this.problem({ path: this.path(name), message: "is missing", ...hint });
      return 1;
    }
    const value = this.optional(there);
    if (value === 0) this.problem({ path: this.path(there), message: "expected at least 1, got 0" });
    if (value !== undefined && value > most)
      this.problem({ path: this.path(there), message: `expected at most ${most}, got ${value}` });
    return value === undefined || value === 0 || value > most ? 1 : value;
  }

  /** As `count`, but undefined where the field is absent. */
  optionalCount(name: string): number | undefined {
    return this.has(name) ? this.count(name) : undefined;
  }

  flag(name: string): boolean | undefined {
    const value = this.value(name);
    if (!present(value) || typeof value === "boolean") return value ?? undefined;
    this.problem({ path: this.path(name), message: `expected true or false, got ${JSON.stringify(value)}` });
    return undefined;
  }

  list(name: string): readonly unknown[] | undefined {
    const value = this.value(name);
    if (!present(value) || Array.isArray(value)) return (value as readonly unknown[] | null | undefined) ?? undefined;
    this.problem({ path: this.path(name), message: `expected a list, got ${JSON.stringify(value)}` });
    return undefined;
  }

  /** An object, or undefined where the field is absent. */
  object(name: string): Json | undefined {
    const value = this.value(name);
    if (!present(value) || isObject(value)) return value ?? undefined;
    this.problem({ path: this.path(name), message: `expected an object, got ${JSON.stringify(value)}` });
    return undefined;
  }

  /** A pattern of letters; undefined where the field is absent or a number. */
  letters(name: string): string | undefined {
    const value = this.value(name);
    return typeof value === "string" && /^[A-Z]+$/.test(value) ? value : undefined;
  }

  private value(name: string): unknown {
    const own = this.names[name];
    return (own === undefined ? undefined : this.inside(own)) ?? this.json[name];
  }

  private inside(path: string): unknown {
    let value: unknown = this.json;
    for (const step of path.split(".")) value = isObject(value) ? value[step] : undefined;
    return value;
  }
}

function present<T>(value: T | null | undefined): value is T {
  return value !== undefined && value !== null;
}

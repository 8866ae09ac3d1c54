/**
 * Reads loosely typed records of a fixture strictly: every field is either asked for, or only describes, or is refused by
 * name. A fixture that means something we don't know must not pass.
 */
import { hintFor } from "../../catalog/nearest.ts";

/** Why a fixture, or one event of it, can't be replayed. */
export class Refusal extends Error {}

export type Values = Readonly<Record<string, unknown>>;

/** Fields for people. */
const DESCRIBING: readonly string[] =
  "id title label about note notes comment description source sources as_of name tags unit currency".split(" ");

export function isRecord(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export class Fields {
  /** Of what, for refusals: `limits[0]`. */
  readonly where: string;
  readonly values: Values;
  private readonly asked = new Set<string>(DESCRIBING);

  constructor(values: unknown, where: string) {
    if (!isRecord(values)) throw new Refusal(`${where} is no object`);
    this.where = where;
    this.values = values;
  }

  /** The value of the first of these names that is there; undefined where none is. */
  value(...names: readonly string[]): unknown {
    for (const name of names) this.asked.add(name);
    const name = names.find((candidate) => this.values[candidate] !== undefined);
    return name === undefined ? undefined : this.values[name];
  }

  has(...names: readonly string[]): boolean {
    return this.value(...names) !== undefined;
  }

  number(...names: readonly string[]): number {
    const value = this.value(...names);
    if (value === undefined) throw new Refusal(`${this.where} needs ${names[0]}`);
    return this.finite(value, names);
  }

  numberOr(otherwise: number, ...names: readonly string[]): number {
    const value = this.value(...names);
    return value === undefined || value === null ? otherwise : this.finite(value, names);
  }

  text(...names: readonly string[]): string | null {
    const value = this.value(...names);
    if (value === undefined || value === null) return null;
    if (typeof value !== "string") throw new Refusal(`${this.where}: ${names[0]} is no text`);
    return value;
  }

  flag(...names: readonly string[]): boolean {
    const value = this.value(...names);
    if (value === undefined || value === null) return false;
    if (typeof value !== "boolean") throw new Refusal(`${this.where}: ${names[0]} must be true or false`);
    return value;
  }

  /** One of `known`, or null where it is not there. */
  oneOf<T extends string>(known: readonly T[], ...names: readonly string[]): T | null {
    const value = this.text(...names);
    if (value === null) return null;
    const found = known.find((word) => word === value);
    if (found === undefined) throw new Refusal(`${this.where}: unknown ${names[0]} "${value}" (${known.join(", ")})`);
    return found;
  }

  record(...names: readonly string[]): Fields | null {
    const value = this.value(...names);
    return value === undefined || value === null ? null : new Fields(value, `${this.where}.${names[0]}`);
  }

  /** Refuses what nobody asked for. */
  done(): void {
    const unknown = Object.keys(this.values).filter((name) => !this.asked.has(name));
    if (unknown.length === 0) return;
    const hint = hintFor(unknown[0]!, [...this.asked]);
    const more = hint === undefined ? "" : ` (${hint})`;
    throw new Refusal(`${this.where}: unknown field ${unknown.map((name) => `"${name}"`).join(", ")}${more}`);
  }

  private finite(value: unknown, names: readonly string[]): number {
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw new Refusal(`${this.where}: ${names[0]} is no number`);
  }
}

/**
 * Offers stand in layers: the shipped price list of a provider, a shipped file of its own, a list and a file of the user's. An
 * upper layer needs only the fields it changes, and its origin holds for those; the rest stays the layer's below. A list is
 * one file with `offers`; what stands beside them holds for each of them, except `about`, a word to people.
 */
import type { Problem } from "../kernel/errors.ts";
import type { CatalogDocument } from "./catalog.ts";

type Fields = Readonly<Record<string, unknown>>;

/** One offer in one file. */
interface Layer {
  readonly file: string;
  /** Where it stands in the file. */
  readonly at: readonly (string | number)[];
  readonly value: Fields;
  readonly level: number;
  readonly override: boolean;
}

/** An offer as its layers make it, and for each of its fields where it is written. */
export interface LayeredOffer {
  readonly value: Fields;
  readonly file: string;
  readonly override: boolean;
  /** It consists of one layer: a file of its own, not laid over anything. */
  readonly alone: boolean;
  readonly placeOf: (path: readonly (string | number)[]) => Pick<Problem, "path"> & { readonly file: string };
}

const ORIGIN = ["source", "asOf", "kind", "unverified"] as const;
/** Fields that name or describe the offer and have no origin. */
const NAMES: ReadonlySet<string> = new Set([...ORIGIN, "id", "provider", "model", "aliases", "note", "fields"]);

/** By id, in the order of the files; `report` is told of two layers of one level. Documents without an id stay alone. */
export function layeredOffers(
  documents: readonly CatalogDocument[],
  report: (file: string, path: readonly (string | number)[], message: string) => void,
): LayeredOffer[] {
  const byId = new Map<string, Layer[]>();
  documents.flatMap(layersOf).forEach((layer, i) => {
    const id = typeof layer.value["id"] === "string" ? layer.value["id"] : ` ${i}`;
    const layers = byId.get(id) ?? [];
    const twin = layers.find(({ level }) => level === layer.level);
    if (twin !== undefined) report(layer.file, [...layer.at, "id"], `"${id}" is also in ${twin.file}`);
    else byId.set(id, [...layers, layer]);
  });
  return [...byId.values()].map((layers) => joined(layers.sort((a, b) => a.level - b.level)));
}

function layersOf({ file, value, override }: CatalogDocument): Layer[] {
  const fields = asFields(value);
  const user = override ? 2 : 0;
  if (!Array.isArray(fields["offers"])) return [{ file, at: [], value: fields, level: user + 1, override }];
  const { offers, about: _, ...head } = fields;
  return (offers as unknown[]).map((row, i) => ({
    file,
    at: ["offers", i],
    value: { ...head, ...asFields(row) },
    level: user,
    override,
  }));
}

/** What is no object fails the schema of offers as an empty one. */
function asFields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function joined(layers: readonly Layer[]): LayeredOffer {
  const top = layers[layers.length - 1]!;
  return {
    value: layers.map(({ value }) => value).reduce(laidOver),
    file: top.file,
    override: layers.some(({ override }) => override),
    alone: layers.length === 1 && top.at.length === 0,
    placeOf: (path) => {
      // The origin of a field that a layer changed is that layer's own.
      const [first, field, key] = path;
      const derived = first === "fields" && key !== undefined;
      const layer = layers.findLast(({ value }) => Object.hasOwn(value, (derived ? field : first) ?? "")) ?? top;
      const own = derived && !Object.hasOwn(asFields(layer.value["fields"]), field!) ? [key] : path;
      return { file: layer.file, path: [...layer.at, ...own] };
    },
  };
}

function laidOver(below: Fields, above: Fields): Fields {
  const origin = Object.fromEntries(ORIGIN.filter((key) => above[key] !== undefined).map((key) => [key, above[key]]));
  const changed = Object.keys(above).filter((key) => !NAMES.has(key));
  const fieldsBelow = Object.entries(asFields(below["fields"])).filter(
    ([path]) => !changed.includes(path.split(".")[0]!),
  );
  const fields = {
    ...Object.fromEntries(fieldsBelow),
    ...Object.fromEntries(changed.map((key) => [key, origin])),
    ...asFields(above["fields"]),
  };
  const kept = Object.fromEntries(ORIGIN.filter((key) => below[key] !== undefined).map((key) => [key, below[key]]));
  const { unverified: _, ...rest } = { ...below, ...above };
  return { ...rest, ...kept, ...(Object.keys(fields).length === 0 ? {} : { fields }) };
}

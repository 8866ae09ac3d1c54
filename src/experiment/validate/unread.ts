/** What a case says that nothing here reads, where that could change a prediction: misspelt names, options that are not modelled. */
import { nearest } from "../../catalog/nearest.ts";
import { CASE_FIELDS, LOAD_FIELDS, NEEDED_FIELDS, OPTION_FIELDS, type RecordedCase } from "./case.ts";

/** Free text, or facts that were read off it: they change nothing by themselves. */
const FOR_PEOPLE: readonly string[] = ["serveCommand", "frontend"];
/** Shorter names are two edits away from anything. */
const SHORTEST_SLIP = 4;

/**
 * Caveats about fields that are not read. Sources record more than is predicted, so of the case and its load only what looks like a
 * slip of a name that may be missing is worth a word; an option of the engine always is.
 */
export function unreadCaveats(recorded: RecordedCase): readonly string[] {
  const { engineOptions: options, load } = recorded;
  // What the case leaves out may have been filled with a default, so all that it need not have counts as missing.
  const optional = CASE_FIELDS.filter((name) => !NEEDED_FIELDS.includes(name));
  return [
    ...slips(recorded, CASE_FIELDS, optional, ""),
    ...slips(load, LOAD_FIELDS, absentFrom(load, LOAD_FIELDS), "load."),
    ...unknownIn(options, [...OPTION_FIELDS, ...FOR_PEOPLE]).map(
      (name) => `engineOptions.${name} is not read${question(nearest(name, absentFrom(options, OPTION_FIELDS)))}`,
    ),
  ];
}

function slips(value: object, known: readonly string[], missing: readonly string[], path: string): readonly string[] {
  const unknown = unknownIn(value, known).filter((name) => name.length >= SHORTEST_SLIP);
  return unknown.flatMap((name) => {
    const meant = nearest(name, missing);
    return meant === null ? [] : [`${path}${name} is not read${question(meant)}`];
  });
}

const question = (meant: string | null): string => (meant === null ? "" : `; is ${meant} meant?`);

function unknownIn(value: object, known: readonly string[]): readonly string[] {
  return Object.keys(value).filter((name) => !known.includes(name));
}

function absentFrom(value: object, known: readonly string[]): readonly string[] {
  return known.filter((name) => (value as Record<string, unknown>)[name] === undefined);
}

/** Files that a command writes for the user to keep: never over one that is there. */
import { access, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { EnvironmentFailure, environmentFailure } from "./exit.ts";
import { makeFolder } from "./make-folder.ts";

/** Before work whose result `writeNew` will keep. `instead`: what to give another of, "name" or "--id". */
export async function refuseExisting(file: string, instead: string): Promise<void> {
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (exists) throw taken(file, instead);
}

export async function writeNew(file: string, text: string, instead: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: "wx" });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") throw taken(file, instead);
    throw environmentFailure(error, `cannot write ${file}`);
  }
}

/** Writes a catalogue entry as YAML, its lists on lines of their own; makes the folder. */
export async function writeEntry(file: string, entry: object, instead: string): Promise<void> {
  const { Document, visit } = await import("yaml");
  const text = new Document(entry, { aliasDuplicateObjects: false });
  visit(text, { Seq: (_, list) => void (list.flow = true) });
  try {
    await makeFolder(dirname(file));
  } catch (error) {
    throw environmentFailure(error, `cannot write ${file}`);
  }
  await writeNew(file, text.toString({ lineWidth: 120 }), instead);
}

function taken(file: string, instead: string): EnvironmentFailure {
  return new EnvironmentFailure(`${file} exists and is not overwritten; give another ${instead}`);
}

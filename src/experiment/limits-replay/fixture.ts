/** The file format of admission examples, as far as it is the same for all of them. */
import { DataError } from "../../kernel/errors.ts";
import { isRecord, type Values } from "./fields.ts";

export interface Fixture {
  readonly id: string;
  /** A pure calculation of this name; null: events at limits. */
  readonly calc: string | null;
  readonly config: Values;
  readonly events: readonly Values[];
  readonly expected: readonly Values[];
}

/** What came of one event next to what was to come of it. */
export interface ReplayedEvent {
  readonly type: string;
  readonly t_ms: number | null;
  readonly req: string | null;
  readonly pass: boolean;
  readonly expected: Values;
  /** The fields that are expected. */
  readonly got: Values;
  /** Names of those that differ; inside of groups by dotted path. */
  readonly differs: readonly string[];
  /** Why it could not be replayed. */
  readonly reason?: string;
}

export interface ReplayedFixture {
  readonly id: string;
  readonly pass: boolean;
  readonly events: readonly ReplayedEvent[];
  readonly reason?: string;
}

/** @throws DataError where the file has another form; `file` is its name */
export function readFixtures(text: string, file: string): Fixture[] {
  const wrong = (message: string): DataError => new DataError(file, null, message);

  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw wrong(`the file is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const list = Array.isArray(parsed) ? parsed : isRecord(parsed) ? parsed["fixtures"] : undefined;
  if (!Array.isArray(list)) throw wrong('the file has no list "fixtures"');
  if (list.length === 0) throw wrong("it holds no examples: there is nothing to replay");
  return list.map((value: unknown, i) => {
    const where = `fixtures[${i}]`;
    if (!isRecord(value)) throw wrong(`${where} is no object`);
    const { id, calc, config = {}, events, expected } = value;
    if (typeof id !== "string") throw wrong(`${where} has no id`);
    if (calc !== undefined && typeof calc !== "string") throw wrong(`${where} (${id}): calc is no text`);
    if (!isRecord(config)) throw wrong(`${where} (${id}): config is no object`);
    for (const [name, rows] of [
      ["events", events],
      ["expected", expected],
    ] as const) {
      if (!Array.isArray(rows) || !rows.every((row) => isRecord(row) || (row === null && name === "expected")))
        throw wrong(`${where} (${id}): ${name} is no list of objects`);
    }
    // Nothing is expected of an event where null stands.
    const wanted = (expected as (Values | null)[]).map((row) => row ?? {});
    return { id, calc: calc ?? null, config, events: events as Values[], expected: wanted };
  });
}

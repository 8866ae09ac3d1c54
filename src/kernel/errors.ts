/**
 * The errors that pure code throws. It never exits, logs or catches them; `node` maps each to an exit code.
 */

/** One thing wrong with what the user wrote. `path` is the keys from the document's root; `node` turns it into line and column. */
export interface Problem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** The document it stands in, where several are read together (the catalogue). */
  readonly file?: string;
  /** What would make it right, for example the nearest valid name. */
  readonly hint?: string;
  /** The key itself is wrong (an unknown field), not its value: where the caret points. */
  readonly onKey?: boolean;
}

function problemText({ file, path, message }: Problem): string {
  return [file, path.join("."), message].filter((part) => part !== undefined && part !== "").join(": ");
}

/** The user's configuration is wrong (exit 2). Carries every problem found, not the first. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(problems.map(problemText).join("\n"));
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** A data file is wrong (exit 3). `row` is 1-based over data rows, null where the file as a whole is meant. */
export class DataError extends Error {
  readonly file: string;
  readonly row: number | null;
  /** The message without file and row. */
  readonly reason: string;
  constructor(file: string, row: number | null, reason: string) {
    super(row === null ? `${file}: ${reason}` : `${file}: row ${row}: ${reason}`);
    this.name = "DataError";
    this.file = file;
    this.row = row;
    this.reason = reason;
  }
}

/** No answer exists under the given constraints, for example no fleet size meets the SLO (exit 5). */
export class InfeasibleError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "InfeasibleError";
  }
}

/** One of our invariants broke: a bug of this program (exit 70). */
export class InvariantError extends Error {
  readonly invariant: string;
  constructor(invariant: string, facts: Readonly<Record<string, unknown>>) {
    super(`${invariant} broken: ${JSON.stringify(facts)}`);
    this.name = "InvariantError";
    this.invariant = invariant;
  }
}

/** A scheduling policy threw or broke a rule of its interface: the fault of whoever wrote it. */
export class PolicyError extends Error {
  readonly policy: string;
  constructor(policy: string, message: string) {
    super(message);
    this.name = "PolicyError";
    this.policy = policy;
  }
}

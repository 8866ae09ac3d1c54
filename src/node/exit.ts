/**
 * Exit codes, and what is said of each kind of error: as text, and as data where `--json` was given. Pure code throws;
 * only this file decides how the process ends. Codes: 0 done, 1 run failed, 2 configuration, 3 data, 4 environment, 5 infeasible, 70 our bug, 130 interrupted.
 */
import {
  ConfigError,
  DataError,
  InfeasibleError,
  InvariantError,
  PolicyError,
  type Problem,
} from "../kernel/errors.ts";

export const EXIT = {
  done: 0,
  runFailed: 1,
  config: 2,
  data: 3,
  environment: 4,
  infeasible: 5,
  bug: 70,
  interrupted: 130,
} as const;

/** The machine, not the experiment, is in the way: disk full, no permission, a folder that is not ours (exit 4). */
export class EnvironmentFailure extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "EnvironmentFailure";
  }
}

/** Ctrl-C before there was anything to keep (exit 130). */
export class InterruptedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "InterruptedError";
  }
}

const ENVIRONMENT_CODES: Readonly<Record<string, string>> = {
  ENOSPC: "no space left on the device",
  EDQUOT: "disk quota exceeded",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
  ENOENT: "no such file or folder",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "this is a folder, a file is needed",
  EMFILE: "too many open files",
  EEXIST: "it exists already",
  ENOTEMPTY: "the folder is not empty",
  ENAMETOOLONG: "the name is too long",
};

/** A failed file operation as EnvironmentFailure with a plain reason; anything else comes back unchanged. */
export function environmentFailure(error: unknown, doing: string): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const reason = ENVIRONMENT_CODES[code];
  return reason === undefined ? error : new EnvironmentFailure(`${doing}: ${reason} (${code})`, { cause: error });
}

/** A data file that was named and could not be read: not there or a folder is the data's fault, all else the machine's. */
export function unreadable(error: unknown, file: string): unknown {
  const code = error instanceof Error && "code" in error ? error.code : "";
  if (code === "ENOENT") return new DataError(file, null, "no such file");
  if (code === "EISDIR") return new DataError(file, null, "this is a folder, a file is needed");
  return environmentFailure(error, `cannot read ${file}`);
}

/** A problem with its place, as far as it has one: lines and columns count from 1, rows of data too. */
interface PlacedProblem extends Problem {
  readonly line?: number;
  readonly column?: number;
  readonly width?: number;
  readonly row?: number;
}

type FailureKind = "configuration" | "data" | "environment" | "infeasible" | "bug" | "interrupted";

interface Failure {
  readonly exitCode: number;
  /** For stderr, ends in a newline. */
  readonly text: string;
  readonly error: FailureKind;
  readonly problems: readonly PlacedProblem[];
}

/** What an error that reached the top means. `replay` is the command line that shows it again. */
export function describeFailure(error: unknown, replay: string): Failure {
  // LocatedConfigError carries its places and its rendering; recognised by shape so that this file does not load the YAML parser.
  if (error instanceof ConfigError) {
    const text = "text" in error && typeof error.text === "string" ? error.text : problemsText(error.problems);
    const problems = "located" in error ? (error.located as readonly PlacedProblem[]) : error.problems;
    return { exitCode: EXIT.config, text, error: "configuration", problems };
  }
  if (error instanceof DataError) {
    const { file, row, reason } = error;
    const problem = { file, ...(row === null ? {} : { row }), path: [], message: reason };
    return { exitCode: EXIT.data, text: `data: ${error.message}\n`, error: "data", problems: [problem] };
  }
  const what = error instanceof Error ? error : new Error(String(error));
  const { message } = what;
  const problems = [{ path: [], message }];
  if (what instanceof PolicyError)
    return { exitCode: EXIT.config, text: `plug-in: ${message}\n`, error: "configuration", problems };
  if (what instanceof InfeasibleError)
    return { exitCode: EXIT.infeasible, text: `infeasible: ${message}\n`, error: "infeasible", problems };
  if (what instanceof EnvironmentFailure)
    return { exitCode: EXIT.environment, text: `environment: ${message}\n`, error: "environment", problems };
  if (what instanceof InterruptedError)
    return { exitCode: EXIT.interrupted, text: `${message}\n`, error: "interrupted", problems };
  const head = what instanceof InvariantError ? message : `${what.name}: ${message}`;
  const stack = what.stack?.split("\n").slice(1).join("\n") ?? "";
  return {
    exitCode: EXIT.bug,
    text: `This is a bug of crossover, not of your file.\n${head}\n${stack}\nReplay with: ${replay}\n`,
    error: "bug",
    problems: [{ path: [], message: head, hint: `a bug of crossover, not of your file; replay with: ${replay}` }],
  };
}

/** A wrong call of the command line, whose text is on stderr already. */
export function usageFailure(message: string): Pick<Failure, "error" | "problems"> {
  return { error: "configuration", problems: [{ path: [], message }] };
}

/** One line for stdout: what every command prints instead of its result when it was called with `--json` and failed. */
export function failureJson({ error, problems }: Pick<Failure, "error" | "problems">): string {
  return `${JSON.stringify({ ok: false, error, problems })}\n`;
}

/** Text on stderr, and the same as data on stdout where that was asked for. Returns the exit code. */
export function tellFailure(failure: Failure): number {
  process.stderr.write(failure.text);
  if (wantsJson()) process.stdout.write(failureJson(failure));
  return failure.exitCode;
}

/** Whether data was asked for, also by a call that is wrong otherwise. */
export function wantsJson(): boolean {
  const words = process.argv.slice(2);
  const end = words.indexOf("--");
  return words.slice(0, end === -1 ? undefined : end).includes("--json");
}

/** Problems that stand at no line, each with its hint. */
export function problemsText(problems: readonly Problem[]): string {
  return problems
    .map(({ file, path, message, hint }) => {
      const where = [file, path.join(".")].filter((part) => part !== undefined && part !== "").join(": ");
      return `${where === "" ? "" : `${where}: `}${message}\n${hint === undefined ? "" : `  hint: ${hint}\n`}`;
    })
    .join("");
}

/**
 * Exit codes, and what stderr says for each kind of error. Pure code throws; only this file decides how the process
 * ends. Codes: 0 done, 1 run failed, 2 configuration, 3 data, 4 environment, 5 infeasible, 70 our bug, 130 interrupted.
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

interface Failure {
  readonly exitCode: number;
  /** For stderr, ends in a newline. */
  readonly text: string;
}

/** What an error that reached the top means. `replay` is the command line that shows it again. */
export function describeFailure(error: unknown, replay: string): Failure {
  // LocatedConfigError carries its rendering; recognised by shape so that this file does not load the YAML parser.
  if (error instanceof ConfigError) {
    const text = "text" in error && typeof error.text === "string" ? error.text : problemsText(error.problems);
    return { exitCode: EXIT.config, text };
  }
  if (error instanceof PolicyError) return { exitCode: EXIT.config, text: `plug-in: ${error.message}\n` };
  if (error instanceof DataError) return { exitCode: EXIT.data, text: `data: ${error.message}\n` };
  if (error instanceof InfeasibleError) return { exitCode: EXIT.infeasible, text: `infeasible: ${error.message}\n` };
  if (error instanceof EnvironmentFailure)
    return { exitCode: EXIT.environment, text: `environment: ${error.message}\n` };
  const what = error instanceof Error ? error : new Error(String(error));
  const head = what instanceof InvariantError ? what.message : `${what.name}: ${what.message}`;
  const stack = what.stack?.split("\n").slice(1).join("\n") ?? "";
  return {
    exitCode: EXIT.bug,
    text: `This is a bug of crossover, not of your file.\n${head}\n${stack}\nReplay with: ${replay}\n`,
  };
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

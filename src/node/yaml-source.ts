/**
 * A YAML file with the position of every key and value, so that a problem found anywhere later is printed as
 * `file:line:column` with its source line, a caret and a hint. Lines and columns count from 1.
 */
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from "yaml";
import type { Document, Node, Pair, YAMLMap } from "yaml";
import { ConfigError } from "../kernel/errors.ts";
import type { Problem } from "../kernel/errors.ts";

export interface Place {
  readonly line: number;
  readonly column: number;
  /** Characters to underline on that line, at least 1. */
  readonly width: number;
}

/** Copies that aliases, and aliases of aliases, may come to: far more than a long experiment has, far less than would hang. */
const MOST_ALIASES = 10_000;

interface LocatedProblem extends Problem, Place {
  readonly file: string;
}

/** A ConfigError whose problems have their places in files, as far as the files could be read; `text` is ready for stderr. */
export class LocatedConfigError extends ConfigError {
  readonly located: readonly (Problem & Partial<Place>)[];
  readonly text: string;
  constructor(located: readonly (Problem & Partial<Place>)[], text: string) {
    super(located);
    this.name = "LocatedConfigError";
    this.located = located;
    this.text = text;
  }
}

export class YamlSource {
  readonly file: string;
  /** The document as plain data. */
  readonly value: unknown;
  private readonly document: Document;
  private readonly lines: readonly string[];
  private readonly counter: LineCounter;

  private constructor(file: string, text: string, document: Document, counter: LineCounter, value: unknown) {
    this.file = file;
    this.value = value;
    this.document = document;
    this.counter = counter;
    this.lines = text.split(/\r?\n/);
  }

  /** Throws a LocatedConfigError with every syntax error of the file. */
  static parse(file: string, text: string): YamlSource {
    const counter = new LineCounter();
    const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, merge: true });
    const lines = text.split(/\r?\n/);
    if (document.errors.length > 0) {
      const located = document.errors.map((error): LocatedProblem => {
        const { line, col } = counter.linePos(Math.min(error.pos[0], text.length));
        return { file, path: [], message: `YAML: ${error.message}`, line, column: Math.max(1, col), width: 1 };
      });
      throw new LocatedConfigError(located, renderAll(located, lines));
    }
    const wrong = unusable(document).map(({ node, message }): LocatedProblem => {
      const { line, col } = counter.linePos(node.range![0]);
      return { file, path: [], message, line, column: col, width: node.range![1] - node.range![0] };
    });
    if (wrong.length > 0) throw new LocatedConfigError(wrong, renderAll(wrong, lines));
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: MOST_ALIASES });
    } catch (error) {
      // Aliases that expand without bound only show when the data is built.
      const told = error instanceof Error ? error.message : String(error);
      const message = told.startsWith("Excessive alias count")
        ? `YAML: its aliases (*name) come to more than ${MOST_ALIASES} copies of what they name`
        : `YAML: ${told}`;
      const located = [{ file, path: [], message, line: 1, column: 1, width: 1 }];
      throw new LocatedConfigError(located, renderAll(located, lines));
    }
    return new YamlSource(file, text, document, counter, value);
  }

  /** Where `path` stands. A missing field is shown at the deepest thing that exists, by its key. */
  locate(path: readonly (string | number)[], onKey = false): Place {
    let node: unknown = this.document.contents;
    let key: Node | null = null;
    let depth = 0;
    for (; depth < path.length; depth++) {
      const step = path[depth]!;
      if (isAlias(node)) node = node.resolve(this.document);
      if (isMap(node)) {
        const pair = this.pairOf(node, String(step));
        if (pair === undefined) break;
        key = isNode(pair.key) ? pair.key : key;
        node = pair.value;
      } else if (isSeq(node) && typeof step === "number" && step < node.items.length) {
        node = node.items[step];
        key = null;
      } else break;
    }
    const wholeValue = depth === path.length && !onKey && (isScalar(node) || isAlias(node) || key === null);
    const shown = wholeValue && isNode(node) ? node : (key ?? (isNode(node) ? node : null));
    return this.place(shown);
  }

  /** All problems, sorted by position, each with its source line, a caret and its hint. */
  error(problems: readonly Problem[]): LocatedConfigError {
    const located = problems
      .map((problem): LocatedProblem => ({ ...problem, file: this.file, ...this.locate(problem.path, problem.onKey) }))
      .sort((a, b) => a.line - b.line || a.column - b.column);
    return new LocatedConfigError(located, renderAll(located, this.lines));
  }

  /** The pair of that key, its own or one that it merges in with `<<`. */
  private pairOf(map: YAMLMap, key: string): Pair | undefined {
    const pairNamed = (name: string): Pair | undefined => map.items.find((item) => keyText(item.key) === name);
    const own = pairNamed(key);
    if (own !== undefined) return own;
    const merged = pairNamed("<<")?.value;
    for (const part of isSeq(merged) ? merged.items : [merged]) {
      const source = isAlias(part) ? part.resolve(this.document) : part;
      const found = isMap(source) ? this.pairOf(source, key) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  private place(node: Node | null): Place {
    if (node?.range == null) return { line: 1, column: 1, width: 1 };
    const { line, col } = this.counter.linePos(node.range[0]);
    const rest = (this.lines[line - 1] ?? "").length - col + 1;
    return { line, column: col, width: Math.max(1, Math.min(node.range[1] - node.range[0], rest)) };
  }
}

/** What is well-formed YAML, but no data: aliases of nothing, and a key that would set the prototype of what is read. */
function unusable(document: Document): { readonly node: Node; readonly message: string }[] {
  const found: { node: Node; message: string }[] = [];
  // In the order of the text: an alias may name what stands before it.
  const anchors = new Set<string | undefined>();
  visit(document, {
    Value(_, node) {
      anchors.add(node.anchor);
    },
    Alias(_, node) {
      if (!anchors.has(node.source)) found.push({ node, message: `YAML: no anchor &${node.source}` });
    },
    Pair(_, { key }) {
      if (isScalar(key) && key.value === "__proto__") found.push({ node: key, message: "__proto__ can name nothing" });
    },
  });
  return found;
}

function keyText(key: unknown): string {
  if (!isScalar(key)) return String(key);
  // The key of a merge is a symbol.
  return key.source ?? String(key.value);
}

function renderAll(located: readonly LocatedProblem[], lines: readonly string[]): string {
  const blocks = located.map((problem) => {
    const source = lines[problem.line - 1] ?? "";
    // The caret line repeats the tabs of the source line, so that both are indented alike whatever the tab width.
    const indent = source.slice(0, problem.column - 1).replace(/[^\t]/g, " ");
    const name = problem.path.length === 0 ? "" : `${pathText(problem.path)}: `;
    const hint = problem.hint === undefined ? "" : `\n  hint: ${problem.hint}`;
    const head = `${problem.file}:${problem.line}:${problem.column}: ${name}${problem.message}`;
    return `${head}\n  ${source}\n  ${indent}${"^".repeat(problem.width)}${hint}`;
  });
  const count = located.length === 1 ? "1 problem" : `${located.length} problems`;
  return `${blocks.join("\n\n")}\n\n${count}\n`;
}

/** `classes[0].slo.ttftMs` */
function pathText(path: readonly (string | number)[]): string {
  return path.map((step, i) => (typeof step === "number" ? `[${step}]` : i === 0 ? step : `.${step}`)).join("");
}

/** House rules that a compiler does not know: which way imports point, what pure code may not call, how long a file may be. */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SRC = fileURLToPath(new URL("../../src/", import.meta.url));
const PURE = [
  "kernel",
  "scenario",
  "catalog",
  "traffic",
  "engine",
  "fleet",
  "provider",
  "dispatch",
  "outcome",
  "experiment",
  "decision",
];

/** What each folder may import, itself included: the table of src/README.md. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  scenario: ["kernel", "engine"],
  engine: ["kernel"],
  catalog: ["kernel", "scenario", "engine"],
  traffic: ["kernel", "scenario"],
  outcome: ["kernel"],
  provider: ["kernel", "scenario"],
  fleet: ["kernel", "scenario", "engine"],
  dispatch: ["kernel", "scenario", "engine", "fleet", "provider", "traffic", "outcome"],
  experiment: ["kernel", "scenario", "catalog", "engine", "fleet", "provider", "traffic", "dispatch", "outcome"],
  decision: ["kernel", "scenario", "outcome", "experiment"],
  report: ["kernel", "scenario", "outcome", "experiment", "decision"],
  io: ["kernel", "scenario", "outcome"],
  node: [...PURE, "report", "io"],
  ".": PURE,
};

interface Source {
  readonly path: string;
  readonly folder: string;
  readonly text: string;
}

function sources(): Source[] {
  return readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && statSync(join(SRC, path)).isFile())
    .map((path) => ({
      path,
      folder: path.includes("/") ? path.split("/")[0]! : ".",
      text: readFileSync(join(SRC, path), "utf8"),
    }));
}

/** Text without comments and strings, so that a rule may be spelled out in them. */
function code(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\/\/.*$/gm, "")
    .replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
}

function offences(find: (source: Source) => string[]): string[] {
  return sources().flatMap((source) => find(source).map((what) => `${source.path}: ${what}`));
}

test("imports point one way", () => {
  expect(
    offences(({ path, folder, text }) =>
      [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].flatMap(([, target]) => {
        const to = relative(SRC, resolve(join(SRC, dirname(path)), target!));
        const toFolder = to.includes("/") ? to.split("/")[0]! : ".";
        return toFolder === folder || MAY_IMPORT[folder]!.includes(toFolder) ? [] : [`imports ${to}`];
      }),
    ),
  ).toEqual([]);
});

test("only io knows Arrow and Parquet", () => {
  expect(
    offences(({ folder, text }) =>
      folder === "io" ? [] : [...text.matchAll(/"(apache-arrow|parquet-wasm|arrow-js-ffi)/g)].map(([, name]) => name!),
    ),
  ).toEqual([]);
});

test("pure code has no clock, no chance and no arithmetic that differs between machines", () => {
  const banned =
    /\b(Math\.(random|log|log2|log10|log1p|exp|expm1|pow|sin|cos|tan|atan|cbrt|hypot)\b|Date\.now|new Date\b|performance\.|console\.|process\.|toLocale\w+|Intl\.)|\*\*/g;
  expect(
    offences(({ folder, path, text }) =>
      PURE.includes(folder)
        ? [...code(text).matchAll(banned)].map(([what]) => what).filter(() => path !== "kernel/math.ts")
        : [],
    ),
  ).toEqual([]);
});

test("no any, no enum, no default export, nothing left to do", () => {
  const banned =
    /(:\s*any\b|\bas any\b|^\s*(export )?(const )?enum\b|^export default\b|\bTODO\b|\bFIXME\b|@ts-ignore|@ts-expect-error)/gm;
  expect(offences(({ text }) => [...text.matchAll(banned)].map(([what]) => what.trim()))).toEqual([]);
});

test("every file opens with what it is for, and none is longer than 600 lines", () => {
  expect(
    offences(({ path, text }) => {
      const lines = text.split("\n").length;
      const opened = /^(#!.*\n)?(\/\*\*|import)/.test(text) || path.endsWith(".d.ts");
      return [...(lines > 600 ? [`${lines} lines`] : []), ...(opened ? [] : ["no opening comment"])];
    }),
  ).toEqual([]);
});

/** `crossover catalog policies`, `routers` and `dispatch`: what pools and strategies can be told to do, with options, defaults and ranges. */
import { DEFAULT_DISPATCH, dispatchPlugins } from "../../dispatch/policies/registry.ts";
import { batchingPlugins, orderPlugins } from "../../engine/policies/registry.ts";
import { DEFAULT_SCHEDULER } from "../../engine/scheduler-spec.ts";
import { DEFAULT_ROUTER, routers } from "../../fleet/routers/registry.ts";
import { plainNumber } from "../../report/format.ts";
import { textTable } from "../text-table.ts";

export const PLUGIN_KINDS = ["policies", "routers", "dispatch"] as const;
type PluginKind = (typeof PLUGIN_KINDS)[number];

export function isPluginKind(name: string): name is PluginKind {
  return (PLUGIN_KINDS as readonly string[]).includes(name);
}

/** An option without a default must be given. */
type PluginOptions = Readonly<
  Record<string, { readonly default?: number; readonly min: number; readonly max: number; readonly doc: string }>
>;

interface Listed {
  readonly name: string;
  readonly doc: string;
  readonly options: PluginOptions;
}

/** Plug-ins that stand in one field of a pool or strategy, and the one that stands there when the file says nothing. */
interface Group {
  readonly title: string;
  readonly field: string;
  readonly of: "pool" | "strategy";
  readonly preset: string;
  readonly plugins: readonly Listed[];
}

function groupsOf(kind: PluginKind): readonly Group[] {
  if (kind === "dispatch") {
    const preset = DEFAULT_DISPATCH;
    return [{ title: "Dispatch policies", field: "dispatch.policy", of: "strategy", preset, plugins: dispatchPlugins }];
  }
  const of = "pool";
  if (kind === "routers") return [{ title: "Routers", field: "router", of, preset: DEFAULT_ROUTER, plugins: routers }];
  const { batching, order } = DEFAULT_SCHEDULER;
  return [
    { title: "Batching policies", field: "scheduler.batching", of, preset: batching.name, plugins: batchingPlugins },
    { title: "Queue orders", field: "scheduler.order", of, preset: order.name, plugins: orderPlugins },
  ];
}

/** Each with its sentences, and below them its options. */
export function pluginsText(kind: PluginKind): string {
  return groupsOf(kind)
    .map(({ title, field, of, preset, plugins }) => {
      const listed = plugins.map((plugin) => {
        const mark = plugin.name === preset ? " (default)" : "";
        return `${plugin.name}${mark}\n${indented(wrapped(plugin.doc))}${indented(optionTable(plugin.options))}`;
      });
      return `${title}, ${field} of a ${of}\n\n${listed.join("\n")}`;
    })
    .join("\n");
}

export function pluginsJson(kind: PluginKind): string {
  const entries = groupsOf(kind).flatMap(({ field, preset, plugins }) =>
    plugins.map(({ name, doc, options }) => ({ name, field, default: name === preset, doc, options })),
  );
  return `${JSON.stringify({ [kind]: entries }, null, 2)}\n`;
}

function optionTable(options: PluginOptions): string {
  const rows = Object.entries(options).map(([name, { default: preset, min, max, doc }]) => [
    name,
    preset === undefined ? "" : plainNumber(preset),
    `${plainNumber(min)} to ${plainNumber(max)}`,
    doc,
  ]);
  if (rows.length === 0) return "";
  return textTable([{ head: "option" }, { head: "default", align: "right" }, { head: "range" }, { head: "" }], rows);
}

const LINE_WIDTH = 100;

/** Lines of at most `LINE_WIDTH` characters, broken between words. */
function wrapped(text: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > LINE_WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return `${[...lines, line].join("\n")}\n`;
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, "  ");
}

/**
 * `crossover conform FILE|NAME`: the conformance suite on the policies of a plug-in file, or on a built-in by its name.
 * stdout is the table of checks (or the findings with --json); exit 5 when a check fails.
 */
import { hintFor } from "../../catalog/nearest.ts";
import {
  CHECKS,
  type CheckId,
  type Conformance,
  type ConformOptions,
  type ConformProgress,
  endedAt,
  type Failure,
  OPTION_SCENARIOS,
} from "../../engine/conform/conform.ts";
import type { Fate } from "../../engine/conform/outcome.ts";
import type { PolicyPlugin } from "../../engine/policies/policy.ts";
import { batchingPlugins, orderPlugins } from "../../engine/policies/registry.ts";
import { ConfigError, PolicyError } from "../../kernel/errors.ts";
import { significant } from "../../report/format.ts";
import { Executor } from "../executor.ts";
import { EXIT, InterruptedError } from "../exit.ts";
import { type LoadedPlugins, loadPlugins, NO_PLUGINS } from "../load-plugins.ts";
import { textTable } from "../text-table.ts";

const REQUEST_COLUMNS = ["request", "arrival s", "input", "output", "class", "gives up s"].map((head) => ({
  head,
  align: "right" as const,
}));

export interface ConformFlags {
  readonly json?: boolean;
  readonly scenarios: number;
  readonly seed: string;
  /** Only the scenario of this number. */
  readonly scenario?: number;
  /** Seconds that one call into a plug-in may take. */
  readonly pluginTimeout?: number;
}

/** What the suite needs to know of a policy here: its code runs in a worker thread. */
type Named = Pick<PolicyPlugin, "kind" | "name">;

export async function conformCommand(what: string, flags: ConformFlags, out: (text: string) => void): Promise<number> {
  const { plugins, policies: named } = await policiesOf(what, flags.pluginTimeout);
  const options = { seed: flags.seed, scenarios: flags.scenarios, only: flags.scenario ?? null };
  const found: { readonly plugin: Named; readonly result: Conformance }[] = [];
  for (const plugin of named) found.push({ plugin, result: await suite(plugin, plugins, options) });
  const passed = found.every(({ result }) => result.passed);
  if (flags.json === true) {
    const policies = found.map(({ plugin, result }) => ({
      ...result,
      warnings: warningsOf(plugin, result),
    }));
    out(`${JSON.stringify({ passed, policies }, null, 1)}\n`);
  } else for (const { plugin, result } of found) out(text(what, plugin, result));
  return passed ? EXIT.done : EXIT.infeasible;
}

/** In a thread of its own, so that a policy which does not return can be ended; what was found until then stays. */
async function suite({ kind, name }: Named, plugins: LoadedPlugins, options: ConformOptions): Promise<Conformance> {
  const executor = new Executor(1, plugins, () => {});
  let last: ConformProgress | null = null as ConformProgress | null;
  executor.cancelOnSignal();
  try {
    return await executor.conform({ kind, name, options }, (progress) => (last = progress));
  } catch (error) {
    if (executor.interrupted) throw new InterruptedError("Interrupted; nothing is decided.");
    if (!(error instanceof PolicyError) || last === null) throw error;
    return endedAt(last, error.message);
  } finally {
    await executor.close();
  }
}

async function policiesOf(
  what: string,
  callLimitS: number | undefined,
): Promise<{ plugins: LoadedPlugins; policies: readonly Named[] }> {
  if (/[./\\]/.test(what)) {
    const plugins = await loadPlugins([what], callLimitS);
    return { plugins, policies: plugins.policies };
  }
  const known: readonly PolicyPlugin[] = [...batchingPlugins, ...orderPlugins];
  const named = known.filter(({ name }) => name === what);
  if (named.length > 0) return { plugins: NO_PLUGINS, policies: named };
  const names = known.map(({ name }) => name);
  const hint = hintFor(what, names) ?? `built-in policies are ${names.join(", ")}`;
  throw new ConfigError([{ path: [], message: `there is no policy named ${what}, nor is it a file`, hint }]);
}

function warningsOf(plugin: Named, { passed, options, reached }: Conformance): string[] {
  const warnings = options
    .filter(({ moves }) => !moves)
    .map(
      ({ name }) =>
        `option ${name} changed no time in the ${OPTION_SCENARIOS} scenarios that each of its values was tried in`,
    );
  const perStep = reached.boundaries / Math.max(1, reached.steps);
  if (passed && plugin.kind === "batching" && perStep > 0.9)
    warnings.push(
      "nearly every step is walked: a leap condition would make long answers many times faster to simulate",
    );
  return warnings;
}

function text(what: string, plugin: Named, result: Conformance): string {
  const { checks, tried, reached, longestStall, seed, scenarios } = result;
  const lines = (Object.keys(CHECKS) as CheckId[]).map(
    (id) => `  ${tried[id] === 0 ? "–   " : checks[id] === null ? "pass" : "FAIL"}  ${id.padEnd(6)}  ${CHECKS[id]}\n`,
  );
  const failures = (Object.keys(CHECKS) as CheckId[]).flatMap((id) => {
    const failure = checks[id];
    if (failure === null) return [];
    const isOfLeap = id === "leap" && checks.repeat === null;
    const byLuck = checks.repeat !== null && (id === "oracle" || id === "leap");
    return [
      failureText(what, id, failure, seed) +
        (isOfLeap
          ? "  steps that are leapt over call neither schedule nor leap: what a policy counts by its calls stands still there\n"
          : "") +
        (byLuck ? "  perhaps only because of what repeat found: mend that first\n" : ""),
    ];
  });
  return (
    `${plugin.name} (${plugin.kind}), ${scenarios} random ${scenarios === 1 ? "scenario" : "scenarios"}, seed ${seed}: ${result.passed ? "conforms" : "does not conform"}\n` +
    lines.join("") +
    `  reached: ${reached.steps} steps at ${reached.boundaries} boundaries, ${reached.preemptions} preemptions, ` +
    `${reached.chunkedPrompts} partial prompts, ${reached.cancelled} cancellations, ${reached.holds} waits by choice, ` +
    `prompts of up to ${reached.longestPrompt} and answers of up to ${reached.longestAnswer} tokens; at most ${longestStall} steps in a row without a token for a decoding sequence\n` +
    waitsText(result) +
    warningsOf(plugin, result)
      .map((warning) => `  warning: ${warning}\n`)
      .join("") +
    failures.join("")
  );
}

function waitsText({ waits }: Conformance): string {
  if (waits === null) return "";
  const { ratio, longestS, fcfsLongestS, scenario, overtakenBy } = waits;
  return (
    `  under load: longest wait ${significant(ratio)} times that of chunked with fcfs (first token after ${significant(longestS)} s ` +
    `instead of ${significant(fcfsLongestS)} s, scenario ${scenario}); one request was overtaken by ${overtakenBy} later ones\n`
  );
}

function failureText(what: string, id: CheckId, { scenario, message, small, differs }: Failure, seed: string): string {
  const { spec, scheduler } = small;
  const choice = ({ name, options }: { name: string; options: Readonly<Record<string, number>> }): string =>
    [name, ...Object.entries(options).map(([key, value]) => `${key}=${value}`)].join(" ");
  const rows = small.requests.map(({ arrivalS, inputTokens, outputTokens, classIndex, cancelS }, request) => [
    `${differs?.request === request ? "> " : ""}${request}`,
    String(arrivalS),
    String(inputTokens),
    String(outputTokens),
    String(classIndex),
    cancelS < Infinity ? String(cancelS) : "–",
  ]);
  return (
    `\n${id}: ${message}\n` +
    (differs === null ? "" : `  expected: ${fateText(differs.expected)}\n  found:    ${fateText(differs.found)}\n`) +
    `  batching ${choice(scheduler.batching)}, order ${choice(scheduler.order)}, ${scheduler.preemption}, ${scheduler.admission}; ` +
    `maxNumSeqs ${spec.maxNumSeqs}, maxNumBatchedTokens ${spec.maxNumBatchedTokens}, ${spec.kvBlocks} blocks of ${spec.blockTokens}` +
    `${spec.longPrefillTokenThreshold > 0 ? `, chunks up to ${spec.longPrefillTokenThreshold}` : ""}\n` +
    textTable(REQUEST_COLUMNS, rows) +
    `  again: crossover conform ${what} --seed ${seed}${scenario === null ? "" : ` --scenario ${scenario}`}\n`
  );
}

function fateText(fate: Fate | null): string {
  if (fate === null) return "never ends";
  const first = Number.isNaN(fate.firstTokenS) ? "no token" : `first token ${fate.firstTokenS} s`;
  return `${fate.kind} at ${fate.endS} s, ${first}`;
}

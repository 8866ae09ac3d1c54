/** `crossover check FILE`: is this experiment sound, and what would it simulate? Nothing is run. */
import { notValidated } from "../../experiment/not-validated.ts";
import { unlikeYardsticks } from "../../experiment/unlike-yardsticks.ts";
import { availableParallelism } from "node:os";
import { gpusPerReplica } from "../../engine/parallelism.ts";
import type { ResolvedExperiment, ResolvedOffer, ResolvedStrategy } from "../../scenario/resolved.ts";
import { DAY_S } from "../../kernel/calendar-time.ts";
import { lengthText, plainNumber, plural } from "../../report/format.ts";
import { expectedRequests } from "../../traffic/rate.ts";
import { loadExperiment, type LoadOptions } from "../load-experiment.ts";
import { loadPlugins, unusedPolicies } from "../load-plugins.ts";
import { workNote } from "../work-note.ts";

interface CheckOptions extends LoadOptions {
  readonly plugin?: readonly string[];
  /** Seconds that one call into a plug-in may take. */
  readonly pluginTimeout?: number;
  readonly json?: boolean;
}

/** Prints the summary. Throws as `loadPlugins` and `loadExperiment` do. */
export async function checkCommand(file: string, options: CheckOptions, out: (text: string) => void): Promise<void> {
  const plugins = await loadPlugins(options.plugin, options.pluginTimeout);
  const { experiment } = await loadExperiment(file, options);
  const facts = summarize(experiment, [
    ...unusedPolicies(plugins, experiment.strategies),
    ...unlikeYardsticks(experiment.strategies),
  ]);
  const note = workNote(experiment, availableParallelism());
  if (options.json === true) out(`${JSON.stringify({ ok: true, ...facts })}\n`);
  else out(`${text(file, facts)}${note === null ? "" : `  ${note}\n`}`);
}

interface CheckFacts {
  readonly id: string;
  readonly days: number;
  readonly replications: number;
  /** Per replication, warm-up left out. */
  readonly requestsExpected: number;
  readonly strategies: readonly {
    readonly name: string;
    readonly option: string;
    readonly parts: readonly string[];
    readonly barred: readonly string[];
  }[];
  readonly assumed: number;
  readonly warnings: readonly string[];
}

function summarize(experiment: ResolvedExperiment, told: readonly string[]): CheckFacts {
  return {
    id: experiment.id,
    days: experiment.horizonS / DAY_S,
    replications: experiment.replications,
    requestsExpected: Math.round(requestsExpected(experiment)),
    strategies: experiment.strategies.map((strategy) => ({
      name: strategy.name,
      option: strategy.option,
      parts: partsOf(strategy),
      barred: strategy.barred.filter((reason) => reason !== null),
    })),
    assumed: experiment.assumptions.filter(({ kind, unverified }) => kind === "assumed" || unverified === true).length,
    warnings: [...told, ...experiment.warnings, ...notValidated(experiment.strategies)],
  };
}

/** Mean number of requests in the horizon. */
export function requestsExpected({ traffic, startEpochS, horizonS }: ResolvedExperiment): number {
  return expectedRequests(traffic, startEpochS, 0, horizonS);
}

function partsOf(strategy: ResolvedStrategy): string[] {
  const pools = strategy.pools.map((pool) => {
    const warm = pool.warmReplicas > 0 ? ` + ${pool.warmReplicas} warm` : "";
    const gpus = gpusPerReplica(pool.engine);
    return `${pool.name}: ${pool.replicas}${warm} × ${pool.llm.id} ${pool.engine.weightDtype} on ${gpus} × ${pool.gpu.id}, ${plainNumber(pool.engine.kvBlocks * pool.engine.blockTokens, 0)} KV tokens each${pool.managed === undefined ? "" : `, run by a vendor (${pool.managed.preset})`}`;
  });
  return [
    ...pools,
    ...strategy.offers.map((offer) => `${offer.name}: ${offer.provider} ${offer.model}${formText(offer)}`),
  ];
}

function text(file: string, facts: CheckFacts): string {
  const requests = facts.requestsExpected.toLocaleString("en-US");
  const strategies = facts.strategies.map(({ name, option, parts, barred }) => {
    const closed = barred.map((reason) => `\n    not permitted: ${reason}`).join("");
    return `  ${name} (${option}): ${parts.join("; ")}${closed}\n`;
  });
  const warnings = facts.warnings.map((warning) => `  warning: ${warning}\n`);
  return (
    `ok: ${file}\n` +
    `  ${facts.id}: ${lengthText(facts.days)}, about ${requests} requests, ${plural(facts.replications, "replication")} of ${plural(facts.strategies.length, "strategy", "strategies")}\n` +
    strategies.join("") +
    `  ${facts.assumed} values are assumed or unverified\n` +
    warnings.join("")
  );
}

/** How an offer is bought, where it is not pay-as-you-go. */
function formText({ form }: ResolvedOffer): string {
  if (form === undefined) return "";
  return form.kind === "provisioned" ? ` (${form.units} units of ${form.plan})` : ` (${form.kind})`;
}

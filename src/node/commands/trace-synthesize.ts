/**
 * `crossover trace synthesize PRESET --days N [--out FILE.parquet]`: draws the traffic of a preset, or of an experiment,
 * into a trace. Streamed: a block of rows is in memory, never the traffic. Turns of sessions come as if each was answered at
 * once and name their session, so that a replay lets each wait for the one before; in a run of the experiment they wait as well.
 */
import type { WasmBatch } from "../../io/parquet-read.ts";
import { codedStrings, loadParquetEncoder, numbers, type ParquetEncoder } from "../../io/parquet-write.ts";
import { streamParquet } from "../../io/parquet-stream.ts";
import { MOST_DAYS, MOST_REQUESTS_PER_S } from "../../experiment/bounds.ts";
import { tooManyRequests } from "../../experiment/request-bound.ts";
import { Resolution } from "../../experiment/resolution.ts";
import { resolveTraffic } from "../../experiment/resolve-traffic.ts";
import { TrafficSchema } from "../../experiment/schema.ts";
import { DAY_S, epochSOfIso } from "../../kernel/calendar-time.ts";
import { ConfigError, type Problem } from "../../kernel/errors.ts";
import { plainNumber } from "../../report/format.ts";
import type { ResolvedTraffic } from "../../scenario/resolved.ts";
import { DemandMeter, type DemandMeasures } from "../../traffic/demand.ts";
import { openTraffic } from "../../traffic/open.ts";
import { trafficStream, type OpenTrafficOptions } from "../../traffic/options.ts";
import { ReasoningPart } from "../../traffic/reasoning.ts";
import type { Traffic } from "../../traffic/traffic.ts";
import { loadCatalog } from "../catalog-files.ts";
import { environmentFailure } from "../exit.ts";
import { loadExperiment } from "../load-experiment.ts";
import { Progress } from "../progress.ts";
import { packageVersion } from "../version.ts";
import { wholeOrNothing } from "../whole-file.ts";

export interface SynthesizeFlags {
  readonly days?: number;
  readonly out: string;
  readonly seed?: string;
  readonly requestsPerS?: number;
  readonly start?: string;
  readonly models?: string;
  readonly json?: boolean;
}

/** What is drawn, and from when to when. */
interface Source {
  readonly traffic: ResolvedTraffic;
  readonly options: OpenTrafficOptions;
  readonly reasoning: ReasoningPart | null;
  readonly warnings: readonly string[];
}

/** A Monday, on which the seasons of the catalogue begin. */
const START = "2026-11-02";
const BLOCK_ROWS = 131_072;

/**
 * `what`: a preset of the catalogue, or an experiment file whose traffic it is then, with its start, days and seed.
 * @throws ConfigError for an unknown preset and for what is wrong in the experiment
 * @throws EnvironmentFailure for a target that cannot be written
 */
export async function synthesizeCommand(
  what: string,
  flags: SynthesizeFlags,
  out: (text: string) => void,
): Promise<void> {
  checkFlags(flags);
  const source = /\.ya?ml$/.test(what) ? await ofExperiment(what, flags) : await ofPreset(what, flags);
  const { startEpochS, horizonS } = source.options;
  const tooMany = tooManyRequests(source.traffic, startEpochS, 0, horizonS);
  if (tooMany !== null)
    throw new ConfigError([{ ...tooMany, path: [flags.requestsPerS === undefined ? "--days" : "--requests-per-s"] }]);
  const meter = new DemandMeter(source.options.horizonS);
  const bar = new Progress("synthesize", 1, { enabled: flags.json !== true });
  const totals = { inputTokens: 0, outputTokens: 0 };
  const encoder = await loadParquetEncoder();
  const columns = [...columnsOf(thinks(source)), ...(isClosed(source.traffic) ? [SESSION_COLUMN] : [])];
  try {
    const about = {
      table: "trace",
      version: packageVersion(),
      units: Object.fromEntries(
        columns.filter(({ type }) => type !== "string").map(({ name }) => [name, name === "arrivalS" ? "s" : "tokens"]),
      ),
    };
    const drawn = batches(encoder, source, meter, totals, (share) => bar.update(share));
    await wholeOrNothing(flags.out, () => streamParquet(flags.out, drawn, about, columns));
  } catch (error) {
    throw environmentFailure(error, `cannot write ${flags.out}`);
  } finally {
    bar.stop();
  }
  const measures = meter.measures();
  const facts = { out: flags.out, ...measures, ...totals, warnings: source.warnings };
  out(flags.json === true ? `${JSON.stringify(facts)}\n` : accountText(flags.out, measures, totals, source.warnings));
}

/** Throws a ConfigError with every flag beyond what an experiment may say. */
function checkFlags({ days, requestsPerS }: SynthesizeFlags): void {
  const problems: Problem[] = [];
  if (days !== undefined && days > MOST_DAYS)
    problems.push({ path: ["--days"], message: `expected at most ${MOST_DAYS}, got ${days}` });
  if (requestsPerS !== undefined && requestsPerS > MOST_REQUESTS_PER_S)
    problems.push({
      path: ["--requests-per-s"],
      message: `expected at most ${MOST_REQUESTS_PER_S}, got ${requestsPerS}`,
    });
  if (problems.length > 0) throw new ConfigError(problems);
}

async function ofPreset(preset: string, flags: SynthesizeFlags): Promise<Source> {
  const { catalog } = await loadCatalog(["traffic"], flags.models);
  const { startEpochS, horizonS } = period(flags.start ?? START, flags.days ?? 1);
  const file = TrafficSchema.parse({ preset, requestsPerS: flags.requestsPerS });
  const resolution = new Resolution(catalog, { traffic: file }, [], catalog.asOf);
  const traffic = resolveTraffic(resolution, file, [], null, {
    startEpochS,
    fromEpochS: startEpochS,
    toEpochS: startEpochS + horizonS,
  });
  if (traffic === null || resolution.problems.length > 0)
    throw new ConfigError(resolution.problems.map((problem) => ({ ...problem, path: [] })));
  const options = optionsOf(flags.seed ?? "1", startEpochS, horizonS);
  const share = resolution.find("traffic", preset, [])?.reasoningShare;
  const reasoning = share === undefined ? null : new ReasoningPart(share, trafficStream(options, "reasoning"));
  return { traffic, options, reasoning, warnings: resolution.warnings };
}

async function ofExperiment(file: string, flags: SynthesizeFlags): Promise<Source> {
  for (const [option, value] of Object.entries({ "--start": flags.start, "--requests-per-s": flags.requestsPerS })) {
    if (value !== undefined)
      throw new ConfigError([{ path: [option], message: "is in the experiment; change it there" }]);
  }
  const { experiment } = await loadExperiment(file, {
    ...(flags.models === undefined ? {} : { models: flags.models }),
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
  });
  const { traffic, startEpochS, seed, warnings, classes } = experiment;
  const horizonS = flags.days === undefined ? experiment.horizonS : flags.days * DAY_S;
  const options = {
    ...optionsOf(seed, startEpochS, horizonS),
    classShares: classes.map(({ shareFraction }) => shareFraction),
    reasoning: classes.map(({ reasoning }) => reasoning),
  };
  return { traffic, options, reasoning: null, warnings };
}

function period(start: string, days: number): { startEpochS: number; horizonS: number } {
  const startEpochS = epochSOfIso(start);
  if (startEpochS === null)
    throw new ConfigError([{ path: ["--start"], message: "expected a date such as 2026-11-02" }]);
  return { startEpochS, horizonS: days * DAY_S };
}

function optionsOf(seed: string, startEpochS: number, horizonS: number): OpenTrafficOptions {
  return { startEpochS, warmupS: 0, horizonS, seed, replication: 0, classShares: [1] };
}

/** Some answers begin with thinking: by the preset's record, or by a class of the experiment. */
function thinks({ traffic, reasoning, options }: Source): boolean {
  const recorded = traffic.kind === "replay" && traffic.reasoningTokens !== undefined;
  return recorded || reasoning !== null || (options.reasoning ?? []).some((law) => law !== undefined);
}

function columnsOf(hasReasoning: boolean) {
  const counts = ["inputTokens", "outputTokens", "maxOutputTokens", ...(hasReasoning ? ["reasoningTokens"] : [])];
  return [{ name: "arrivalS", type: "float64" } as const, ...counts.map((name) => ({ name, type: "uint32" }) as const)];
}

const SESSION_COLUMN = { name: "sessionId", type: "string" } as const;

/** Some requests wait for others. */
function isClosed(traffic: ResolvedTraffic): boolean {
  return traffic.kind === "synthetic" ? traffic.sessions !== undefined : traffic.waits !== undefined;
}

async function* batches(
  encoder: ParquetEncoder,
  source: Source,
  meter: DemandMeter,
  totals: { inputTokens: number; outputTokens: number },
  progress: (share: number) => void,
): AsyncGenerator<WasmBatch> {
  const { traffic, options, reasoning } = source;
  const cursor: Traffic = openTraffic(traffic, options);
  const closed = isClosed(traffic);
  const arrivalS = new Float64Array(BLOCK_ROWS);
  const counts = columnsOf(thinks(source))
    .slice(1)
    .map(({ name }) => ({ name, values: new Uint32Array(BLOCK_ROWS) }));
  const [input, output, maxOutput, reasoned] = counts.map(({ values }) => values);
  const sessions = new Int32Array(BLOCK_ROWS);
  do {
    let rows = 0;
    const names = new Map<number, number>();
    for (; rows < BLOCK_ROWS && cursor.timeS < Infinity; rows++) {
      const { timeS, request } = cursor;
      arrivalS[rows] = timeS;
      input![rows] = cursor.inputTokens;
      output![rows] = cursor.outputTokens;
      maxOutput![rows] = cursor.maxOutputTokens;
      if (reasoned !== undefined)
        reasoned[rows] = reasoning === null ? (cursor.reasoningTokens ?? 0) : reasoning.of(cursor.outputTokens);
      meter.add(timeS);
      totals.inputTokens += cursor.inputTokens;
      totals.outputTokens += cursor.outputTokens;
      cursor.advance();
      if (!closed) continue;
      const session = cursor.known?.session(request) ?? request;
      const code = names.get(session) ?? names.size;
      names.set(session, code);
      sessions[rows] = code;
      // Nobody serves here: turns follow as if the one before was answered at once.
      cursor.onComplete(request, timeS);
    }
    progress(Math.min(1, cursor.timeS / options.horizonS));
    yield encoder.batch([
      numbers("arrivalS", "float64", arrivalS.subarray(0, rows)),
      ...counts.map(({ name, values }) => numbers(name, "uint32", values.subarray(0, rows))),
      ...(closed ? [codedStrings(SESSION_COLUMN.name, sessions.subarray(0, rows), [...names.keys()].map(String))] : []),
    ]);
  } while (cursor.timeS < Infinity);
}

function accountText(
  target: string,
  { requests, meanRatePerS, peakToMean, dispersion60s }: DemandMeasures,
  { inputTokens, outputTokens }: { readonly inputTokens: number; readonly outputTokens: number },
  warnings: readonly string[],
): string {
  const shown = (value: number | null): string => (value === null ? "unknown" : plainNumber(value, 2));
  const mean = (tokens: number): string => plainNumber(requests === 0 ? 0 : tokens / requests, 0);
  return (
    `wrote ${target}\n` +
    `  ${plainNumber(requests)} requests, ${plainNumber(meanRatePerS)} a second; ` +
    `${mean(inputTokens)} tokens in and ${mean(outputTokens)} out in the mean\n` +
    `  busiest 5 minutes (P99.9) ${shown(peakToMean)} times the mean; ` +
    `dispersion of the counts of a minute ${shown(dispersion60s)}\n` +
    warnings.map((warning) => `  warning: ${warning}\n`).join("")
  );
}

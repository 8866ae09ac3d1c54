/** What a worker thread does: one simulation task at a time. Progress goes to the main thread as messages. */
import "./v8-flags.ts";
import { parentPort, workerData } from "node:worker_threads";
import { runOne, type RunOutcome, type RunTask } from "../experiment/run-one.ts";
import type { DayRequests, TrialDay } from "../experiment/certain-miss.ts";
import { countDay as countRequests, type DayOutcome, runSizing, type SizingTask } from "../experiment/size-trial.ts";
import { sloRatePerReplica, type SloRateTask } from "../experiment/slo-rate.ts";
import type { StepSelection } from "../dispatch/step-recorder.ts";
import type { ConformOptions, Conformance, ConformProgress } from "../engine/conform/conform.ts";
import type { PolicyPlugin } from "../engine/policies/policy.ts";
import { batchingNamed, orderNamed } from "../engine/policies/registry.ts";
import { watchSteps } from "../experiment/watch-steps.ts";
import type { StepRecord } from "../outcome/step-table.ts";
import { ConfigError, PolicyError, type Problem } from "../kernel/errors.ts";
import type { DeclaredPolicy } from "./load-plugins.ts";
import { showCallsIn } from "./plugin-calls.ts";
import type { PluginSource } from "./plugins.ts";
import type { Catalog } from "../catalog/schema.ts";
import type { RecordedCase } from "../experiment/validate/case.ts";
import { type Prediction, predictCase } from "../experiment/validate/predict.ts";
import { simulateCase } from "../experiment/validate/simulate-case.ts";
import { readBeside } from "./case-files.ts";
import type { RequestSelection } from "./request-rows.ts";

export interface RunJob {
  readonly task: RunTask;
  /** Number by which progress messages name this job. */
  readonly job: number;
  /** Per-request rows wanted, and the file that takes them. */
  readonly requests: { readonly selection: RequestSelection; readonly file: string } | null;
}

export interface StepsJob {
  readonly task: RunTask;
  readonly selection: StepSelection;
}

export interface ProgressMessage {
  readonly job: number;
  readonly fraction: number;
}

const REPORT_EVERY_MS = 200;

export interface JobOutcome {
  readonly outcome: RunOutcome;
  /** Files with the rows that were asked for, in order. */
  readonly parts: readonly string[];
}

/** What a task gives, or how a plug-in failed in it. */
export type Answer<T> =
  | { readonly value: T; readonly failure: null }
  | { readonly failure: { readonly policy: string; readonly message: string } };

/** How a task comes to a thread. */
export interface WorkerTask<T> {
  readonly argument: T;
  /** Where calls into plug-ins show; null without any. */
  readonly callMemory: SharedArrayBuffer | null;
}

interface Entered {
  readonly plugins: readonly PolicyPlugin[];
  /** What a fault of one of them is told as; null for other policies. */
  readonly textOf: (fault: PolicyError) => string | null;
}

let entered: Promise<Entered> | null = null;

/** Plug-ins are entered once in the life of a thread, before its first task. */
function enterPlugins(memory: SharedArrayBuffer | null): Promise<Entered> {
  if (memory === null) return Promise.resolve({ plugins: [], textOf: () => null });
  showCallsIn(memory);
  entered ??= import("./plugins.ts").then(async (module) => {
    const plugins = await module.enterPlugins(workerData as readonly PluginSource[]);
    return { plugins, textOf: (fault) => module.faultText(fault, plugins) };
  });
  return entered;
}

async function answer<T>(memory: SharedArrayBuffer | null, work: () => T | Promise<T>): Promise<Answer<T>> {
  const { textOf } = await enterPlugins(memory);
  try {
    return { value: await work(), failure: null };
  } catch (error) {
    const message = error instanceof PolicyError ? textOf(error) : null;
    if (message === null) throw error;
    return { failure: { policy: (error as PolicyError).policy, message } };
  }
}

export function run({ argument, callMemory }: WorkerTask<RunJob>): Promise<Answer<JobOutcome>> {
  return answer(callMemory, () => runJob(argument));
}

export function steps({ argument, callMemory }: WorkerTask<StepsJob>): Promise<Answer<StepRecord>> {
  return answer(callMemory, () => watchSteps(argument.task, argument.selection));
}

export function countDay({ argument, callMemory }: WorkerTask<SizingTask>): Promise<Answer<DayRequests>> {
  return answer(callMemory, () => countRequests(argument));
}

interface SizingJob {
  readonly task: SizingTask;
  readonly replicas: readonly number[];
  readonly trial: TrialDay;
}

export function runDay({ argument, callMemory }: WorkerTask<SizingJob>): Promise<Answer<DayOutcome>> {
  return answer(callMemory, () => runSizing(argument.task, argument.replicas, argument.trial));
}

export function sloRate({ argument, callMemory }: WorkerTask<SloRateTask>): Promise<Answer<number | null>> {
  return answer(callMemory, () => sloRatePerReplica(argument));
}

export interface Declared {
  readonly policies: readonly DeclaredPolicy[];
  /** What is wrong with the files; empty when all of it was entered. */
  readonly problems: readonly Problem[];
}

/** What plug-ins declare: all that the main thread needs of them. */
export async function declared({ callMemory }: WorkerTask<null>): Promise<Answer<Declared>> {
  try {
    const policies = (await enterPlugins(callMemory)).plugins.map(({ kind, name, doc, options }) => {
      return { kind, name, doc, options };
    });
    return { value: { policies, problems: [] }, failure: null };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { value: { policies: [], problems: error.problems }, failure: null };
  }
}

/** The suite on one policy, shipped or of a plug-in. */
export interface ConformTask {
  readonly kind: PolicyPlugin["kind"];
  readonly name: string;
  readonly options: ConformOptions;
}

export function conform({ argument, callMemory }: WorkerTask<ConformTask>): Promise<Answer<Conformance>> {
  const { kind, name, options } = argument;
  return answer(callMemory, async () => {
    const suite = await import("../engine/conform/conform.ts");
    const plugin = kind === "batching" ? batchingNamed(name)! : orderNamed(name)!;
    return suite.conform(plugin, options, (progress: ConformProgress) => parentPort?.postMessage(progress));
  });
}

async function runJob(job: RunJob): Promise<JobOutcome> {
  let last = 0;
  const onProgress = (fraction: number): void => {
    const now = performance.now();
    if (now - last < REPORT_EVERY_MS) return;
    last = now;
    parentPort?.postMessage({ job: job.job, fraction } satisfies ProgressMessage);
  };
  if (job.requests === null) return { outcome: runOne(job.task, null, onProgress), parts: [] };
  const { openRequestRows } = await import("./request-rows.ts");
  const rows = await openRequestRows(job.task, job.requests.selection, job.requests.file);
  try {
    return { outcome: runOne(job.task, rows, onProgress), parts: rows.close() };
  } catch (error) {
    rows.discard();
    throw error;
  }
}

/** Recorded cases to predict; `folder` holds the files that they name. */
export interface PredictionTask {
  readonly catalog: Catalog;
  readonly folder: string;
  readonly cases: readonly RecordedCase[];
}

export function predict({ argument, callMemory }: WorkerTask<PredictionTask>): Promise<Answer<Prediction[]>> {
  const { catalog, folder, cases } = argument;
  const readText = (path: string): string | null => readBeside(folder, path);
  return answer(callMemory, () => cases.map((one) => predictCase(one, { catalog, simulate: simulateCase, readText })));
}

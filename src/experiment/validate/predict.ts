/**
 * Predicts what a recorded case measured, or says why it cannot. Coefficients come from the sets fitted on calibration
 * groups alone, so that cases with the role validation stay unseen.
 *
 *   startup              memory and KV blocks, by `kv-capacity.ts`
 *   closed               mean TPOT by the closed-loop formula that the coefficients were fitted with, for as many sequences as
 *                        the KV cache holds; the rest by simulating the clients
 *   open, offline, trace everything that times give, by simulating the replicas; open loads as the mean of several draws
 */
import { schedulerDefaults } from "../../catalog/pool-facts.ts";
import type { Catalog } from "../../catalog/schema.ts";
import {
  type ChosenCoefficients,
  type CoefficientSets,
  type LlmClass,
  type ResidualBandPercent,
  chooseCoefficients,
  llmClass,
  outsideValidatedRange,
} from "../../engine/coefficients.ts";
import { DEFAULT_SCHEDULER } from "../../engine/scheduler-spec.ts";
import type { EngineSpec } from "../../engine/spec.ts";
import { scheduledStepTime } from "../../engine/step-time-options.ts";
import { createStepTime } from "../../engine/step-time-physics.ts";
import type { StepTime } from "../../engine/step-time.ts";
import { OPEN_DRAWS, caseArrivals, loadCaveats } from "./arrivals.ts";
import { type RecordedCase, meanLengths, meanRequest } from "./case.ts";
import { closedLoopTpotS } from "./closed-loop.ts";
import { LoadError } from "./lengths.ts";
import { type Memory, budgetTokensOf, cacheCaveats, predictMemory, provenBlocks, withProvenCache } from "./memory.ts";
import { withinModelLen } from "./model-len.ts";
import { type CaseMetrics, caseMetrics, meanMetrics, stageMetrics } from "./metrics.ts";
import { sideCase, transferCaveat, transferTimes } from "./disaggregated.ts";
import {
  type CaseSimulator,
  DRAFT_COST,
  draftsOf,
  prefillsApart,
  reservesAnswers,
  serve,
  type ServingPool,
  unservable,
} from "./serve.ts";
import { recordedGpu } from "./recorded-gpu.ts";
import { FITTED_BUDGET_TOKENS, type Setup, layoutOf, lookUp, unmodelledShape } from "./setup.ts";
import { assumedCaveats, kvDtypeOf } from "./assumed.ts";
import { unreadCaveats } from "./unread.ts";

export interface Prediction {
  readonly predicted: CaseMetrics;
  /** By stage of the load; empty where it has none. */
  readonly byStage: readonly CaseMetrics[];
  /** Mean TPOT of a closed loop with the global set of the class, as if no finer one had been fitted; null for other loads. */
  readonly classSetTpotMs: number | null;
  /** Null where the model is not known. */
  readonly modelClass: LlmClass | null;
  /** Coefficient set that stands behind the times; null where none was needed. */
  readonly scope: string | null;
  readonly bandPercent: ResidualBandPercent | null;
  readonly outsideValidatedRange: string | null;
  /** What the source does not record and was assumed. */
  readonly caveats: readonly string[];
  /** Why (the rest of) the case was not predicted; null = all of it was. */
  readonly refused: string | null;
}

/** What a prediction needs beside the case. */
export interface PredictionTools {
  readonly catalog: Catalog;
  readonly simulate: CaseSimulator | null;
  /** Text of a file named by the case, relative to the case file; null when it cannot be read. */
  readonly readText: (path: string) => string | null;
}

const NOTHING: Prediction = {
  predicted: {},
  byStage: [],
  classSetTpotMs: null,
  modelClass: null,
  scope: null,
  bandPercent: null,
  outsideValidatedRange: null,
  caveats: [],
  refused: null,
};

/** Never throws for what a case says, nor when the simulator breaks on it: such cases are refused with a reason. */
export function predictCase(recorded: RecordedCase, tools: PredictionTools): Prediction {
  const shape = unmodelledShape(recorded);
  if (shape !== null) return { ...NOTHING, refused: shape };
  if (recorded.disaggregated !== undefined) return predictSides(recorded, recorded.disaggregated, tools);
  const setup = lookUp(recorded, tools.catalog);
  if (typeof setup === "string") return { ...NOTHING, refused: setup };
  const modelClass = llmClass(setup.llm);
  const memory = predictMemory(recorded, setup);
  if (recorded.load.kind === "startup") {
    if (typeof memory === "string") return { ...NOTHING, modelClass, refused: memory };
    return { ...NOTHING, modelClass, predicted: memory.metrics, refused: null };
  }
  const sets = [...tools.catalog.coefficients.values()];
  const chosen = chooseCoefficients(sets, setup.request, "calibration");
  const known: Prediction = {
    ...NOTHING,
    modelClass,
    scope: chosen.coefficients.scope,
    bandPercent: chosen.bandPercent,
    outsideValidatedRange: outsideValidatedRange(sets, setup.request),
    caveats: [...loadCaveats(recorded), ...setupCaveats(recorded, setup)],
  };
  // What cannot be run has no time, though the closed-loop formula would give one.
  if (typeof memory === "string") return { ...known, refused: memory };
  const formula = closedLoopPrediction(recorded, setup, sets, chosen, memory);
  const predicted = { ...memory.metrics, ...formula.predicted };
  if (tools.simulate === null) return { ...known, ...formula, predicted, refused: "no simulator" };
  const pool = servingPool(recorded, setup, chosen, memory.kvBlocks);
  const simulated = simulate(recorded, { ...pool, handOff: null }, setup.llm.maxContext, tools);
  if (typeof simulated === "string") return { ...known, predicted: memory.metrics, refused: simulated };
  return {
    ...known,
    ...formula,
    predicted: { ...simulated.whole, ...predicted },
    byStage: simulated.byStage,
    caveats: [...known.caveats, ...simulated.caveats, ...cacheCaveats(recorded, setup, memory, simulated.kvBlocks[0]!)],
  };
}

/** Mean TPOT of a closed loop by the formula, with the set chosen and with that of the class; nothing of other loads and of drafts. */
function closedLoopPrediction(
  recorded: RecordedCase,
  setup: Setup,
  sets: readonly CoefficientSets[],
  chosen: ChosenCoefficients,
  memory: Memory,
): Pick<Prediction, "predicted" | "classSetTpotMs"> {
  if (recorded.load.kind !== "closed" || draftsOf(recorded) !== null) return { predicted: {}, classSetTpotMs: null };
  const tpotMs = closedLoop(recorded, setup, chosen, memory);
  const ofClass = chooseCoefficients(globalSets(sets), setup.request, "calibration");
  return {
    predicted: tpotMs === null ? {} : { tpotMsMean: tpotMs },
    classSetTpotMs: closedLoop(recorded, setup, ofClass, memory),
  };
}

/** Prefill and decode on replicas of their own: all of it by simulation, and no memory figures, for the two sides differ. */
function predictSides(
  recorded: RecordedCase,
  sides: NonNullable<RecordedCase["disaggregated"]>,
  tools: PredictionTools,
): Prediction {
  const sets = [...tools.catalog.coefficients.values()];
  const of = (side: RecordedCase) => {
    const setup = lookUp(side, tools.catalog);
    if (typeof setup === "string") return setup;
    const memory = predictMemory(side, setup);
    if (typeof memory === "string") return memory;
    const chosen = chooseCoefficients(sets, setup.request, "calibration");
    return { side, setup, memory, chosen, pool: servingPool(side, setup, chosen, memory.kvBlocks) };
  };
  const prefill = of(sideCase(recorded, sides.prefill));
  if (typeof prefill === "string") return { ...NOTHING, refused: `prefill: ${prefill}` };
  const decode = of(sideCase(recorded, sides.decode));
  if (typeof decode === "string") return { ...NOTHING, refused: `decode: ${decode}` };
  const { setup, chosen } = decode;
  const replicas = Math.max(prefill.pool.replicas, decode.pool.replicas);
  const times = transferTimes(setup, prefill.pool.engine, decode.pool.engine);
  const handOff = { ...decode.pool, ...times };
  const simulated = simulate(recorded, { ...prefill.pool, handOff }, setup.llm.maxContext, tools);
  const known: Prediction = {
    ...NOTHING,
    modelClass: llmClass(setup.llm),
    scope: chosen.coefficients.scope,
    bandPercent: chosen.bandPercent,
    outsideValidatedRange: "prefill and decode on separate pools were never validated",
    caveats: [...loadCaveats(recorded), ...setupCaveats({ ...recorded, replicas }, setup), transferCaveat(setup)],
  };
  if (typeof simulated === "string") return { ...known, refused: simulated };
  const raised = ([prefill, decode] as const).flatMap(({ side, setup: of, memory }, i) =>
    cacheCaveats(side, of, memory, simulated.kvBlocks[i]!).map(
      (caveat) => `${i === 0 ? "prefill" : "decode"}: ${caveat}`,
    ),
  );
  const caveats = [...known.caveats, ...simulated.caveats, ...raised];
  return { ...known, predicted: simulated.whole, byStage: simulated.byStage, caveats };
}

function globalSets(sets: readonly CoefficientSets[]): CoefficientSets[] {
  return sets.map((entry) => ({ ...entry, sets: entry.sets.filter((set) => set.scope === "global") }));
}

function setupCaveats(recorded: RecordedCase, setup: Setup): readonly string[] {
  const { engineOptions, replicas, router } = recorded;
  const { gpu, reason } = recordedGpu(recorded);
  return [
    ...(reason === null ? [] : [`predicted on ${gpu}: ${reason}`]),
    ...assumedCaveats(recorded, setup),
    ...unreadCaveats(recorded),
    ...(engineOptions.chunkedPrefill === false && !prefillsApart(recorded, setup.llm.maxContext)
      ? ["prompts were prefilled whole; here they are chunked"]
      : []),
    ...(draftsOf(recorded) === null ? [] : [`a draft is assumed to cost ${DRAFT_COST} of a decode step`]),
    ...(replicas > 1 && router === undefined ? ["the router is not recorded: requests go round in turn"] : []),
  ];
}

/** Mean TPOT in ms; null where the load does not say what the formula needs. */
function closedLoop(
  recorded: RecordedCase,
  setup: Setup,
  chosen: ChosenCoefficients,
  { kvBlocks }: Memory,
): number | null {
  const { load, engineOptions, replicas } = recorded;
  const { inputTokens, outputTokens } = meanLengths(recorded);
  if (load.concurrency === undefined || inputTokens === null || outputTokens === null) return null;
  const share = Math.max(1, Math.round(load.concurrency / replicas));
  const { blockTokens = setup.profile.blockTokens } = engineOptions;
  // Who reserves room for whole answers holds fewer than who admits while there is room: on average half of each answer is there.
  const heldTokens = inputTokens + (reservesAnswers(recorded) ? outputTokens : outputTokens / 2);
  const held = provenBlocks(recorded, { kvBlocks, blockTokens }, inputTokens + outputTokens);
  const room = Math.max(1, Math.floor(held / Math.ceil(heldTokens / blockTokens)));
  const concurrency = Math.min(share, room, (engineOptions.maxNumSeqs ?? Infinity) * Math.max(1, recorded.dp));
  const stepTime = createStepTime(
    setup.gpu,
    setup.llm,
    {
      weightDtype: setup.weightDtype,
      kvDtype: kvDtypeOf(recorded, setup),
      ...layoutOf(recorded),
      maxNumSeqs: concurrency,
      tpreMsPerLayer: 0,
      ...(engineOptions.maxModelLen === undefined ? {} : { maxModelLen: engineOptions.maxModelLen }),
      requestTokens: inputTokens + outputTokens,
    },
    chosen.coefficients,
  );
  const budgetTokens = engineOptions.maxNumBatchedTokens ?? FITTED_BUDGET_TOKENS[recorded.engine]!;
  return closedLoopTpotS(stepTime, concurrency, inputTokens, outputTokens, budgetTokens) * 1000;
}

type Deployment = Omit<Parameters<typeof serve>[2], "arrivals">;

interface Simulated {
  readonly whole: CaseMetrics;
  readonly byStage: readonly CaseMetrics[];
  /** What was done about the requests. */
  readonly caveats: readonly string[];
  /** Of one replica; with prefill and decode apart of one that prefills and one that decodes. */
  readonly kvBlocks: readonly number[];
}

/** The replicas of one kind that a case names. */
function servingPool(recorded: RecordedCase, setup: Setup, chosen: ChosenCoefficients, kvBlocks: number): ServingPool {
  const engine = engineSpec(recorded, setup, kvBlocks);
  const create = (tokensPerDecode: number): StepTime =>
    createStepTime(setup.gpu, setup.llm, engine, chosen.coefficients, tokensPerDecode);
  const scheduler = { ...DEFAULT_SCHEDULER, speculative: draftsOf(recorded) };
  const stepTime = scheduledStepTime(create, scheduler);
  return { engine, stepTime, replicas: recorded.replicas, router: setup.routing };
}

function simulate(
  recorded: RecordedCase,
  deployment: Deployment,
  modelTokens: number,
  tools: PredictionTools,
): Simulated | string {
  const { load } = recorded;
  const { warmupRequests = 0 } = load;
  const { handOff } = deployment;
  if (tools.simulate === null) return "no simulator";
  try {
    const runs: Simulated[] = [];
    for (let draw = 0; draw < (load.kind === "open" && load.requestsFile === undefined ? OPEN_DRAWS : 1); draw++) {
      const fitted = withinModelLen(caseArrivals(recorded, tools.readText, draw), recorded, modelTokens);
      if (typeof fitted === "string") return fitted;
      const { arrivals, caveat } = fitted;
      const size = arrivals.arrivalS.length;
      if (size <= warmupRequests)
        return `warmupRequests is ${warmupRequests} of ${size} requests: none is left to count`;
      const here = handOff === null ? arrivals : { ...arrivals, outputTokens: new Uint32Array(size).fill(1) };
      const engine = withProvenCache(deployment.engine, recorded, here);
      const there = handOff && { ...handOff, engine: withProvenCache(handOff.engine, recorded, arrivals) };
      const tooLong = unservable(here, engine) ?? (there && unservable(arrivals, there.engine));
      if (tooLong !== null) return tooLong;
      const times = serve(recorded, tools.simulate, { ...deployment, engine, handOff: there, arrivals });
      const unfinished = times.lastTokenS.filter((timeS) => Number.isNaN(timeS)).length;
      if (unfinished > 0) return `${unfinished} of ${times.lastTokenS.length} simulated requests did not finish`;
      runs.push({
        whole: caseMetrics(arrivals, times, warmupRequests, engine.apiOverheadMs),
        byStage: stageMetrics(arrivals, times, warmupRequests, engine.apiOverheadMs),
        caveats: [arrivals.note, caveat].filter((note) => typeof note === "string"),
        kvBlocks: [engine.kvBlocks, ...(there === null ? [] : [there.engine.kvBlocks])],
      });
    }
    return {
      whole: meanMetrics(runs.map((run) => run.whole)),
      byStage: runs[0]!.byStage.map((_, stage) => meanMetrics(runs.map((run) => run.byStage[stage]!))),
      caveats: runs[0]!.caveats,
      kvBlocks: runs[0]!.kvBlocks,
    };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return error instanceof LoadError ? message : `the simulation failed: ${message}`;
  }
}

function engineSpec(recorded: RecordedCase, setup: Setup, kvBlocks: number): EngineSpec {
  const { engineOptions } = recorded;
  const { profile, llm, gpu, weightDtype } = setup;
  const ranks = Math.max(1, recorded.dp);
  const defaults = schedulerDefaults(profile, gpu);
  const maxNumSeqs = (engineOptions.maxNumSeqs ?? defaults.maxNumSeqs) * ranks;
  const tokensPerDecode = 1 + (draftsOf(recorded)?.draftTokens ?? 0);
  const budgetTokens = budgetTokensOf(recorded, setup) * ranks;
  return {
    engine: recorded.engine,
    engineVersion: recorded.engineVersion,
    weightDtype,
    kvDtype: kvDtypeOf(recorded, setup),
    ...layoutOf(recorded),
    maxNumSeqs,
    maxNumBatchedTokens: Math.max(maxNumSeqs * tokensPerDecode, budgetTokens),
    longPrefillTokenThreshold: engineOptions.longPrefillTokenThreshold ?? profile.longPrefillTokenThreshold,
    gpuMemoryUtilization: engineOptions.gpuMemoryFraction ?? profile.gpuMemoryUtilization,
    blockTokens: engineOptions.blockTokens ?? profile.blockTokens,
    kvBlocks,
    maxModelLen: engineOptions.maxModelLen ?? llm.maxContext,
    ...meanRequest(recorded),
    tpreMsPerLayer: profile.tpreMsPerLayer[llmClass(llm)],
    prefillMsPerToken: profile.prefillMsPerToken?.[llmClass(llm)] ?? 0,
    stepMs: profile.stepMs ?? 0,
    schedulesAhead: profile.schedulesAhead ?? false,
    apiOverheadMs: profile.apiOverheadMs,
  };
}

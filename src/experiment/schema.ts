/**
 * The schema of an experiment file: one place that gives type, check, default, unit and documentation of every field.
 * Units are in the field names. A default marked `assumed` is nobody's measurement: it appears in the result's list of
 * assumptions whenever the file leaves it. A field without a default takes its value from the catalogue.
 */
import { z } from "zod";
import { BurstSchema } from "../catalog/rate-law.ts";
import { DEFAULT_ROUTER } from "../fleet/routers/registry.ts";
import { WEIGHT_DTYPES } from "../engine/spec.ts";
import type { MaxOutputRule, Provenance } from "../scenario/resolved.ts";
import { MOST_DAYS, MOST_REPLICAS, MOST_REPLICATIONS, MOST_REQUESTS_PER_S, SHORTEST_TIMEOUT_S } from "./bounds.ts";
import { Day, Instant, rateFactorFields } from "./schema-traffic.ts";
import { managedFields } from "./schema-forms.ts";
import { ReasoningSchema } from "./schema-reasoning.ts";
import { RedactionSchema } from "./schema-boundary.ts";
import { BreakerSchema, ClientSchema, DispatchSchema, HedgeSchema } from "./schema-dispatch.ts";
import { OfferSchema } from "./schema-offer.ts";
import { RepeatsSchema, ResponseCacheSchema, sessionsSchema } from "./schema-reuse.ts";

/** Date of the defaults below, shown beside each of them in the list of assumptions. */
export const DEFAULTS_AS_OF = "2026-11";

/** Used where neither the file nor a traffic preset says what max_tokens clients send. */
export const MAX_OUTPUT_DEFAULT: MaxOutputRule = { factor: 4, minTokens: 1024 };
export const MAX_OUTPUT_PROVENANCE: Provenance = {
  kind: "assumed",
  source: "traces do not record max_tokens",
  asOf: DEFAULTS_AS_OF,
};

/** Marks a default as an assumption of the answer; `source` says why this value. */
function assumed(description: string, unit: string, source: string) {
  return { description, unit, kind: "assumed", source };
}

const Name = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]*$/,
    "expected lower-case letters, digits, '-', '.' or '_', starting with a letter or digit",
  );
const Fraction = z.number().min(0).max(1);
const PositiveFraction = z.number().gt(0).max(1);
const Positive = z.number().gt(0);
const NotNegative = z.number().min(0);
const Place = z.enum(["dedicated_managed", "private_vpc", "onprem"]);
const Level = z.int().min(0).max(7);

const SloSchema = z
  .strictObject({
    ttftMs: Positive.nullable()
      .default(null)
      .describe("first token visible to the user within this many milliseconds; null: no target"),
    tpotMs: Positive.nullable()
      .default(null)
      .describe("mean gap between output tokens of a request, milliseconds; null: no target"),
    e2eMs: Positive.nullable().default(null).describe("last token within this many milliseconds; null: no target"),
    target: PositiveFraction.default(0.99).meta(
      assumed(
        "share of requests or of one-minute windows that must meet the targets",
        "fraction",
        "usual service objective",
      ),
    ),
    strict: z.boolean().default(false).describe("the business depends on it: latency alone may force own capacity"),
    basis: z
      .enum(["windows", "requests"])
      .optional()
      .describe("what attainment counts; without it windows if strict, else requests"),
  })
  .describe("targets that a request must all meet");

const CustomizationSchema = z.strictObject({
  name: z
    .string()
    .min(1)
    .describe("what is needed, for example own-weights, quantization, batching-control, own-logging"),
  need: z.enum(["must", "want"]).describe("must: an option without it is out; want: a soft push"),
  apiSupports: z.boolean().default(false).describe("the API provider offers it"),
  privateSupports: z.boolean().default(false).describe("a vendor-run private deployment offers it"),
});

const LengthSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("constant"),
    tokens: z.int().min(1).describe("every request has this many tokens"),
  }),
  z.strictObject({
    kind: z.literal("lognormal"),
    medianTokens: Positive.optional().describe("median; give this or meanTokens"),
    meanTokens: Positive.optional().describe("mean after the limits below; give this or medianTokens"),
    sigma: NotNegative.max(4).describe("standard deviation of the natural logarithm of the length"),
    minTokens: z.int().min(1).default(1).describe("shorter ones are lifted to this"),
    maxTokens: z.int().min(1).describe("longer ones are cut to this"),
  }),
  z.strictObject({
    kind: z.literal("quantiles"),
    percentiles: z.array(z.number().min(0).max(100)).min(2).describe("rising, 0 to 100"),
    tokens: z.array(NotNegative).min(2).describe("length at each percentile, not falling"),
    meanTokens: Positive.describe("the table is scaled to this mean"),
  }),
]);

const ClassSchema = z.strictObject({
  name: Name.describe("name of the class, used in routes"),
  share: PositiveFraction.describe("share of all requests; the shares of all classes sum to 1"),
  sensitivity: z.enum(["none", "moderate", "restricted"]).default("none").describe("how sensitive the content is"),
  redactable: z
    .boolean()
    .default(false)
    .describe("moderate content is redacted upstream, so that what is sent is not sensitive any more"),
  minLevel: Level.optional().describe(
    "lowest boundary level (0 public API … 7 air-gapped) that may take this class; without it none 0, moderate 2, restricted 5",
  ),
  allowedPlaces: z
    .array(Place)
    .min(1)
    .optional()
    .describe("own or dedicated capacity must stand in one of these places, which then suffices whatever its level"),
  residency: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("regions in which the class may be processed; without it anywhere"),
  region: Name.optional().describe(
    "where its users are: a region of the table of network paths; without it the traffic's",
  ),
  quality: z
    .enum(["open_ok", "premium_api_only"])
    .default("open_ok")
    .describe("does an open-weight model meet the quality floor?"),
  premiumPrivatelyOffered: z
    .boolean()
    .default(false)
    .describe("the premium model is also sold as a private deployment"),
  customization: z
    .array(CustomizationSchema)
    .default([])
    .describe("control over the model or its serving that the class needs"),
  slo: SloSchema.prefault({}),
  timeoutS: z
    .number()
    .min(SHORTEST_TIMEOUT_S)
    .default(600)
    .meta(assumed("client deadline over all attempts, from the first send", "s", "time-out of the common SDKs")),
  priority: z
    .int()
    .default(0)
    .describe("lower is more urgent, where a pool orders its queue by priority (vLLM's convention)"),
  sharedPrefix: z
    .strictObject({
      tokens: z.int().min(1).describe("tokens that prompts of this class begin with, part of their length"),
      groups: z.int().min(1).default(1).describe("different such beginnings, each as likely"),
    })
    .optional()
    .describe("what the prompts of this class begin with: system prompts; matters where a pool has a prefix cache"),
  input: LengthSchema.optional().describe("prompt length of this class; without it the traffic's"),
  output: LengthSchema.optional().describe("length of its answers; without it the traffic's"),
  repeats: RepeatsSchema,
  reasoning: ReasoningSchema,
});

export const TrafficSchema = z.strictObject({
  preset: z
    .string()
    .optional()
    .describe("traffic preset of the catalogue; the fields below replace single values of it"),
  replay: z
    .strictObject({
      file: z.string().min(1).describe("recorded trace (Parquet), relative to this file"),
      turns: z
        .enum(["after-parents", "as-recorded"])
        .default("after-parents")
        .describe(
          "after-parents: a request that waited for others in the recording (a turn, a step of an agent) is sent when they have ended here and its recorded pause has passed; as-recorded: at its recorded time",
        ),
    })
    .optional()
    .describe(
      "every recorded request, instead of synthetic traffic: at its recorded time, or after those it waited for",
    ),
  requestsPerS: Positive.max(MOST_REQUESTS_PER_S)
    .optional()
    .describe("mean requests per second at the start, before growth"),
  growthPerMonth: z
    .number()
    .gt(-1)
    .max(10)
    .default(0)
    .describe("growth of the mean rate as a fraction per month of 30.4 days, compounding"),
  region: Name.optional().describe("where users are, for the network path to each target; without it no path is added"),
  season: z.string().optional().describe("weekly profile of the catalogue, or flat"),
  ...rateFactorFields,
  burst: BurstSchema.optional().describe("short-term fluctuation; without preset and burst: Poisson arrivals"),
  input: LengthSchema.optional().describe("prompt length"),
  output: LengthSchema.optional().describe("length of the answer, reasoning included"),
  spearman: z.number().gt(-1).lt(1).optional().describe("rank correlation of prompt and answer length"),
  sessions: sessionsSchema(LengthSchema)
    .optional()
    .describe(
      "conversations or agent runs, each turn sent after the answer before; without it the preset's, else every request stands alone",
    ),
  maxOutput: z
    .strictObject({
      factor: z.number().min(1).optional().describe("max_tokens as a multiple of the real answer"),
      minTokens: z.int().min(1).optional().describe("smallest max_tokens that clients send"),
    })
    .prefault({})
    .describe(
      "what clients ask for as max_tokens, which some provider limits charge; without it the preset's, else 4 times the answer and at least 1024",
    ),
});

const RouterSchema = z.strictObject({
  name: z.string().describe("router plug-in"),
  options: z.record(z.string(), z.number()).default({}).describe("options of the router"),
});

const PolicySchema = z.union([
  z.string().describe("policy with its defaults"),
  z.strictObject({
    name: z.string().describe("policy that ships or comes by --plugin"),
    options: z.record(z.string(), z.number()).default({}).describe("options of the policy"),
  }),
]);

const SchedulerSchema = z.strictObject({
  batching: PolicySchema.default("chunked").describe(
    "what a step holds: chunked, continuous, static, dynamic or a plug-in",
  ),
  order: PolicySchema.default("fcfs").describe(
    "who is admitted first: fcfs, priority, edf, shortest-prompt, predicted-shortest, fair-share or a plug-in",
  ),
  preemption: z
    .enum(["recompute", "swap"])
    .default("recompute")
    .describe("KV of a preempted sequence: computed again, or moved to host memory and back"),
  swapSpaceGiB: NotNegative.default(4).describe("host memory for swapped KV, GiB per GPU (vLLM V0 --swap-space)"),
  hostLinkGBps: Positive.default(25).meta(
    assumed("KV moved between a GPU and its host", "GB/s", "about 80 % of a PCIe 4 x16 link in one direction"),
  ),
  admission: z
    .enum(["optimistic", "reserve"])
    .default("optimistic")
    .describe(
      "admit when the next chunk has KV blocks, or only when prompt and max_tokens have, so that nothing is preempted",
    ),
  prefixCaching: z
    .enum(["off", "lru", "fifo", "lfu"])
    .default("off")
    .describe("keep KV blocks of prompts for later ones that begin alike; which block makes room first"),
  speculative: z
    .strictObject({
      draftTokens: z.int().min(1).max(16).describe("tokens drafted a step (vLLM num_speculative_tokens)"),
      acceptance: z.number().gt(0).lt(1).describe("probability that a draft is accepted if those before it were"),
      draftCost: NotNegative.max(1)
        .meta(
          assumed(
            "one draft step as a share of a plain decode step of the model",
            "fraction",
            "a draft head or model of a tenth of the weights",
          ),
        )
        .default(0.1),
      mode: z
        .enum(["exact", "mean-field"])
        .default("exact")
        .describe(
          "exact draws what is accepted and walks each step; mean-field spreads the mean (answers as fast as with exact, first tokens up to a step too soon) and is labelled",
        ),
    })
    .optional()
    .describe("speculative decoding; without it none"),
  capturedBatchSizes: z
    .array(z.int().min(1))
    .min(1)
    .optional()
    .describe(
      "batch sizes of captured graphs, of one rank and micro-batch: a decode step costs as much as the next one up; without it no padding",
    ),
});

const GpuPriceSchema = z.union([
  z.string().describe("price of the catalogue for this GPU"),
  z.strictObject({ usdPerGpuHour: NotNegative.describe("USD per GPU and hour, paid whether used or not") }),
]);

const PoolSchema = z.strictObject({
  llm: z.string().describe("open-weight model of the catalogue"),
  gpu: z.string().describe("GPU of the catalogue"),
  engine: z.string().default("vllm").describe("serving engine of the catalogue"),
  weightDtype: z
    .enum(WEIGHT_DTYPES)
    .default("bf16")
    .describe("format of the weights; fp8-block: FP8 with a scale per block of 128, as DeepSeek publishes"),
  kvDtype: z.enum(["bf16", "fp8"]).default("bf16").describe("precision of the KV cache"),
  tensorParallelSize: z
    .int()
    .min(1)
    .max(8)
    .default(1)
    .describe("GPUs that share each layer of a replica (vLLM --tensor-parallel-size)"),
  pipelineParallelSize: z
    .int()
    .min(1)
    .max(16)
    .default(1)
    .describe("stages of a replica, each with its share of the layers (vLLM --pipeline-parallel-size)"),
  dataParallelSize: z
    .int()
    .min(1)
    .max(64)
    .default(1)
    .describe(
      "MoE models: ranks of one replica with their own sequences and KV cache that share the experts (vLLM --data-parallel-size); limits such as maxNumSeqs are per rank",
    ),
  enableExpertParallel: z
    .boolean()
    .default(false)
    .describe("MoE models: each GPU holds whole experts instead of a slice of each (vLLM --enable-expert-parallel)"),
  replicas: z
    .union([z.int().min(1).max(MOST_REPLICAS), z.literal("auto")])
    .default("auto")
    .describe("serving replicas; auto: the fewest that meet the targets"),
  warmReplicas: z
    .int()
    .min(0)
    .max(512)
    .default(0)
    .describe("replicas loaded and paid for that take over when a serving one is lost"),
  gpuPrice: GpuPriceSchema.optional().describe(
    "what a GPU costs; an experiment without a team may leave it out, and then shows no money at all",
  ),
  gpusPerNode: z
    .int()
    .min(1)
    .max(72)
    .optional()
    .describe("GPUs that fail and are rented together; without it as the price or GPU says"),
  ...managedFields,
  place: Place.default("private_vpc").describe("where the pool stands"),
  boundaryLevel: Level.optional().describe("boundary level; without it the place's"),
  residency: z.string().min(1).optional().describe("region of the pool; without it the place's"),
  region: Name.optional().describe("where it stands, for the network path of its users"),
  maxNumSeqs: z
    .int()
    .min(1)
    .max(65_536)
    .nullable()
    .default(null)
    .describe("sequences in one running batch (vLLM --max-num-seqs); null: the engine profile's"),
  maxNumBatchedTokens: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe("token budget of one step, above it prefill is chunked; null: the engine profile's"),
  longPrefillTokenThreshold: z
    .int()
    .min(0)
    .nullable()
    .default(null)
    .describe("longest chunk of one prompt in one step, tokens; 0: no limit; null: the engine profile's"),
  gpuMemoryUtilization: PositiveFraction.nullable()
    .default(null)
    .describe("share of GPU memory the engine takes; null: the engine profile's"),
  blockTokens: z
    .int()
    .min(1)
    .max(1024)
    .nullable()
    .default(null)
    .describe("tokens in one KV block; null: the engine profile's"),
  kvBlocks: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe("KV blocks of one replica as the engine logged them; null: computed"),
  maxModelLen: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe("longest request in tokens, prompt and answer together; null: the model's context"),
  router: z
    .union([z.string().describe("router plug-in with its defaults"), RouterSchema])
    .default(DEFAULT_ROUTER)
    .describe("who picks the replica"),
  stepTimeTable: z
    .array(
      z.strictObject({
        batchTokens: z.int().min(1).describe("tokens in the step"),
        promptMs: Positive.describe("milliseconds of a step that prefills so many tokens"),
        tokenMs: Positive.describe("milliseconds of a step in which so many sequences decode"),
      }),
    )
    .min(2)
    .optional()
    .describe(
      "step times that you measured, in place of the model's: linear between and beyond the points; without it the fitted physics",
    ),
  scheduler: SchedulerSchema.prefault({}).describe("how a replica batches and orders its requests"),
  handOff: z
    .strictObject({
      to: Name.describe(
        "pool of this strategy that decodes what this one has prefilled; routes lead to this pool only",
      ),
      transferGBps: Positive.default(50).meta(
        assumed(
          "KV moved between the two pools",
          "GB/s",
          "one 400 Gb/s network port for each replica that prefills, whose transfers follow one another; KV keeps its blocks there until the decode pool has room for it, and outlives its replica",
        ),
      ),
      latencyMs: NotNegative.default(1).meta(
        assumed("start of a KV transfer", "ms", "connection set-up and metadata of a KV connector"),
      ),
    })
    .optional()
    .describe(
      "disaggregated prefill and decode: the first token leaves here, the rest comes from the other pool; TPOT holds the transfer, TTFT does not",
    ),
  maxWaitingPerReplica: z
    .int()
    .min(0)
    .nullable()
    .default(null)
    .describe("requests waiting per serving replica above which the pool rejects; null: no limit"),
  networkMs: NotNegative.optional().describe(
    "round trip between client and pool, milliseconds; without it the place's",
  ),
  incidents: z.string().default("typical").describe("incident preset of the catalogue; none: nothing of ours fails"),
  coldStart: z
    .strictObject({
      profile: z.string().default("vllm-cached").describe("cold start of the catalogue"),
      restartS: NotNegative.optional().describe("engine restart on a running node, seconds; without it the profile's"),
      provisionS: NotNegative.optional().describe(
        "a new node and its image on top of that, seconds; without it the profile's",
      ),
    })
    .prefault({})
    .describe("how long a replica takes to come back"),
});

const RouteTargetSchema = z.union([
  z.string().describe("pool or offer of this strategy"),
  z.strictObject({
    to: z.string().describe("pool or offer of this strategy"),
    overflowInFlightPerReplica: Positive.nullable()
      .default(null)
      .describe("requests in flight per serving replica from which a request goes on to the next target; null: never"),
  }),
]);

const StrategySchema = z.strictObject({
  title: z.string().optional().describe("shown in the report; without it the name"),
  option: z
    .enum(["api", "private_managed", "self", "split"])
    .optional()
    .describe(
      "option of the decision this is evidence for; without it api with offers only, private_managed with managed pools only, self with other pools only, split with both",
    ),
  pools: z.record(Name, PoolSchema).default({}).describe("own fleets by name"),
  responseCache: ResponseCacheSchema,
  redaction: RedactionSchema,
  client: ClientSchema.optional().describe("how the clients of this strategy retry; without it as the experiment's"),
  dispatch: DispatchSchema.optional(),
  breaker: BreakerSchema.optional(),
  hedge: HedgeSchema.optional(),
  offers: z.record(Name, OfferSchema).default({}).describe("API offers by name"),
  routes: z
    .record(Name, z.array(RouteTargetSchema).min(1))
    .describe("per class the targets in order: the first open one takes the request"),
});

const TeamSchema = z.strictObject({
  preset: z.string().optional().describe("team preset of the catalogue; give this or levels"),
  levels: z
    .strictObject({
      platform: Level.max(4),
      gpu_capacity: Level.max(4),
      observability: Level.max(4),
      release: Level.max(4),
      incident_coverage: Level.max(4),
      perf_engineering: Level.max(4),
    })
    .optional()
    .describe("six levels, 0 none to 4 leading"),
  region: z.string().default("us").describe("where the people are paid; a region of the catalogue's team costs"),
  rotaOk: z.boolean().nullable().default(null).describe("the on-call rota is sustainable; null: not declared"),
  incidentsPerMonth: NotNegative.default(4).meta(
    assumed("incidents a month that need a person", "1/month", "one a week, until people are simulated"),
  ),
  releasesPerMonth: NotNegative.default(4).meta(assumed("releases of own serving a month", "1/month", "one a week")),
  engineUpgradesPerMonth: NotNegative.default(1).meta(
    assumed("serving engine upgrades a month", "1/month", "release pace of open serving engines"),
  ),
});

const DecisionSchema = z.strictObject({
  attainTarget: PositiveFraction.default(0.99).describe(
    "SLO attainment an option must reach, where the class sets none",
  ),
  marginFraction: Fraction.default(0.1).describe("own capacity must be cheaper by at least this share"),
  uSloMin: NotNegative.default(0.5).describe("least use of own capacity, as a share of what it serves within the SLO"),
  peakToMeanMax: Positive.default(4).describe("highest peak to mean of the rate that counts as steady"),
  wapeMax: NotNegative.default(0.35).describe("highest forecast error that counts as predictable"),
  apiShareFraction: Fraction.default(0.05).describe("controlled share up to which the verdict is API-first"),
  controlledShareFraction: Fraction.default(0.95).describe("controlled share from which the verdict is self-hosted"),
  softPremium: Positive.default(1.25).describe("cost ratio above which a soft need is met by a split"),
  gateMin: NotNegative.default(2).describe("least level of observability, release and incident coverage"),
  teamMeanMin: NotNegative.default(2.5).describe("least mean of the six team levels"),
  softNeeds: z.int().min(1).default(2).describe("unmet needs that together count as a soft push"),
  splitShareFraction: Fraction.default(0.5).describe("controlled share of a split that was not simulated"),
});

export const ExperimentSchema = z
  .strictObject({
    id: Name.describe("name of the folder of results"),
    title: z.string().min(1).describe("one line, shown on top of the report"),
    question: z.string().min(1).describe("what the experiment is to answer"),
    prediction: z.string().optional().describe("what you expect, written before the first run"),
    finding: z.string().optional().describe("what came out, written after it"),
    asOf: Day.optional().describe("date that prices and ages are relative to; without it the catalogue's"),
    start: Instant.describe("simulated start, UTC"),
    days: Positive.max(MOST_DAYS)
      .optional()
      .describe("length in days, fractions allowed; a replay may leave it out to run to the end of its trace"),
    warmupMinutes: NotNegative.max(MOST_DAYS * 1440)
      .default(30)
      .describe("simulated before the start and left out of every statistic and bill"),
    seed: z
      .union([z.int(), z.string().min(1)])
      .default(1)
      .describe("of all random streams"),
    replications: z
      .int()
      .min(1)
      .max(MOST_REPLICATIONS)
      .default(10)
      .describe("independent repeats; below 10 the verdict is indicative only"),
    stepTimeError: z
      .enum(["none", "drawn"])
      .default("none")
      .describe(
        "drawn: in each replication the engines of own pools are off by a draw of the errors that their step-time model had on measurements it had not seen, so that intervals carry the model's own doubt: they are those of a run then, and more replications do not narrow them",
      ),
    classes: z.array(ClassSchema).min(1).describe("request classes; each is a segment of the decision"),
    traffic: TrafficSchema,
    client: ClientSchema.default("openai-node").describe("how the calling clients retry"),
    team: TeamSchema.optional().describe(
      "who would run own GPUs; without it people are not priced and there is no verdict, as in a study of serving alone",
    ),
    strategies: z.record(Name, StrategySchema).describe("what is compared"),
    decision: DecisionSchema.prefault({}).describe("thresholds of the decision"),
  })
  .describe("A Crossover experiment");

export type ExperimentFile = z.output<typeof ExperimentSchema>;
export type ClassFile = ExperimentFile["classes"][number];
export type StrategyFile = ExperimentFile["strategies"][string];
export type PoolFile = StrategyFile["pools"][string];
export type OfferFile = StrategyFile["offers"][string];
export type SessionsFile = Exclude<ExperimentFile["traffic"]["sessions"], undefined | "none">;
export type LengthFile = z.output<typeof LengthSchema>;

/** JSON Schema of the file as the user writes it, for editors and for looking up names and units of fields. */
export function experimentJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(ExperimentSchema, { io: "input" }) as Record<string, unknown>;
}

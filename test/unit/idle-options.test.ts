/** Options that move nothing where they stand are told by their path; those that contradict each other are refused. */
import { describe, expect, test } from "vitest";
import { type LoadedPlugins, NO_PLUGINS, unusedPolicies } from "../../src/node/load-plugins.ts";
import { problemsOf, resolveRaw, smallExperiment, valueAtPool, withValue, type Path } from "../fixtures/experiment.ts";

const POOL: Path = ["strategies", "own", "pools", "gpus"];
type Change = readonly [Path, unknown];

function changed(changes: readonly Change[]): Record<string, unknown> {
  return changes.reduce((raw, [path, value]) => withValue(raw, path, value), smallExperiment());
}

/** The path and the reason of each warning of something idle. */
function idle(...changes: readonly Change[]): string[] {
  return resolveRaw(changed(changes)).experiment.warnings.filter((warning) => warning.includes(" has no effect: "));
}

const inPool = (fields: Record<string, unknown>): Change => [POOL, { ...valueAtPool(smallExperiment()), ...fields }];
const scheduler = (fields: Record<string, unknown>, more: Record<string, unknown> = {}): Change =>
  inPool({ scheduler: fields, ...more });
const AT = "strategies.own.pools.gpus.";

describe("an idle option is told", () => {
  const batching = (name: string, options: Record<string, number> = {}) => ({ batching: { name, options } });
  const cases: readonly [Change, string, RegExp][] = [
    ...["continuous", "static", "dynamic"].map((name): [Change, string, RegExp] => [
      scheduler({ batching: name }, { longPrefillTokenThreshold: 512 }),
      "longPrefillTokenThreshold",
      new RegExp(`^batching ${name} cuts prompts at the token budget alone$`),
    ]),
    [
      inPool({ longPrefillTokenThreshold: 9000, maxNumBatchedTokens: 8192 }),
      "longPrefillTokenThreshold",
      /^no chunk is longer than the token budget of a step, 8192$/,
    ],
    [
      inPool({ longPrefillTokenThreshold: 8000, maxNumBatchedTokens: 8192, maxModelLen: 7000 }),
      "longPrefillTokenThreshold",
      /^no prompt is longer than maxModelLen, 7000$/,
    ],
    [inPool({ kvBlocks: 20_000, gpuMemoryUtilization: 0.8 }), "gpuMemoryUtilization", /^kvBlocks says/],
    [inPool({ router: "sticky" }), "router", /^sticky keeps the turns of a session together and the traffic has none/],
    [scheduler({ capturedBatchSizes: [2, 1] }), "scheduler.capturedBatchSizes", /^every size up to the largest/],
    [scheduler({ swapSpaceGiB: 8 }), "scheduler.swapSpaceGiB", /^preemption is recompute$/],
    [scheduler({ hostLinkGBps: 50 }), "scheduler.hostLinkGBps", /^preemption is recompute$/],
    [
      scheduler({ admission: "reserve", preemption: "swap" }),
      "scheduler.preemption",
      /^admission: reserve preempts nobody$/,
    ],
    [scheduler({ prefixCaching: "lru" }), "scheduler.prefixCaching", /^prompts here have no whole block in common/],
    [
      scheduler(batching("static", { batchSize: 1, timeoutMs: 5 })),
      "scheduler.batching.options.timeoutMs",
      /^a batch of one \(batchSize\) waits for nobody$/,
    ],
    [
      scheduler(batching("dynamic", { maxBatchSize: 1, maxQueueDelayMs: 5 })),
      "scheduler.batching.options.maxQueueDelayMs",
      /^a batch of one/,
    ],
    [scheduler({ order: "priority" }), "scheduler.order", /^all classes here have priority 0, so/],
    [scheduler({ order: "edf" }), "scheduler.order", /^no class here has a target for the first token/],
    [inPool({ replicas: 1, router: "round-robin" }), "router", /one replica/],
    [inPool({ incidents: "none", coldStart: { restartS: 9 } }), "coldStart", /^incidents are none/],
    [inPool({ incidents: "none", warmReplicas: 1 }), "warmReplicas", /^incidents are none/],
    [
      inPool({ coldStart: { profile: "vllm-cached", restartS: 9, provisionS: 60 } }),
      "coldStart.profile",
      /^restartS and provisionS are given$/,
    ],
  ];
  test.each(cases.map(([change, field, why]) => [field, change, why] as const))("%s", (field, change, why) => {
    const told = idle(change);
    expect(told).toHaveLength(1);
    const [path, reason] = told[0]!.split(" has no effect: ");
    expect(path).toBe(`${AT}${field}`);
    expect(reason).toMatch(why);
  });
});

test("an option that does something is not told, nor a default", () => {
  const working: readonly Change[] = [
    inPool({}),
    inPool({ longPrefillTokenThreshold: 512 }),
    scheduler({ preemption: "swap", swapSpaceGiB: 8, hostLinkGBps: 50 }),
    scheduler({ batching: "static" }),
    inPool({ incidents: "none" }),
    inPool({ replicas: 1 }),
  ];
  for (const change of working) expect(idle(change)).toEqual([]);
  const ofClasses: readonly Change[] = [
    [["classes", 1, "priority"], 1],
    [["classes", 0, "slo"], { ttftMs: 500 }],
  ];
  const ofPools = (told: readonly string[]): string[] => told.filter((text) => text.startsWith(AT));
  for (const order of ["priority", "edf", "fair-share"])
    expect(ofPools(idle(scheduler({ order }), ...ofClasses))).toEqual([]);
  expect(
    idle(scheduler({ prefixCaching: "lru" }), [["classes", 0, "sharedPrefix"], { tokens: 64, groups: 1 }]),
  ).toEqual([]);
});

test("only the classes that come to a pool count for its queue order", () => {
  const elsewhere: readonly Change[] = [
    scheduler({ order: "fair-share" }),
    [["strategies", "own", "pools", "other"], valueAtPool(smallExperiment())],
    [["strategies", "own", "routes", "secret"], ["other"]],
  ];
  expect(idle(...elsewhere)).toEqual([
    `${AT}scheduler.order has no effect: open is the only class here, and tenants are classes, so that requests wait as they come`,
  ]);
});

test("a pool that hands on drafts nothing; one that takes over neither refuses nor looks for prompts", () => {
  const own = valueAtPool(smallExperiment());
  const drafts = { speculative: { draftTokens: 3, acceptance: 0.7 }, capturedBatchSizes: [8, 16] };
  const decode = { ...own, maxWaitingPerReplica: 4, scheduler: { ...drafts, prefixCaching: "lru" } };
  const told = idle(scheduler(drafts, { handOff: { to: "decode" } }), [[...POOL.slice(0, -1), "decode"], decode]);
  expect(told.map((text) => text.split(" has no effect: ")[0])).toEqual([
    `${AT}scheduler.speculative`,
    `${AT}scheduler.capturedBatchSizes`,
    "strategies.own.pools.decode.maxWaitingPerReplica",
    "strategies.own.pools.decode.scheduler.prefixCaching",
  ]);
  expect(told[0]).toMatch(/handed on to decode after its first token: nothing decodes here$/);
});

test("what no pool reads of classes and of the experiment is told", () => {
  const noOffers: readonly Change[] = [
    [["strategies", "api"], undefined],
    [["strategies", "both"], undefined],
  ];
  const prefix: Change = [["classes", 0, "sharedPrefix"], { tokens: 64, groups: 1 }];
  expect(idle(...noOffers, prefix, [["classes", 1, "priority"], 3])).toEqual([
    "classes.0.sharedPrefix has no effect: no pool has prefixCaching, and no offer a prompt cache, that could find it",
    "classes.1.priority has no effect: no pool orders its queue by priority",
  ]);
  const table = [
    { batchTokens: 1, promptMs: 10, tokenMs: 8 },
    { batchTokens: 8192, promptMs: 900, tokenMs: 30 },
  ];
  const drawn: Change = [["stepTimeError"], "drawn"];
  expect(idle(...noOffers, drawn, inPool({ stepTimeTable: table }))).toEqual([
    "stepTimeError has no effect: no pool takes its step times from the model",
  ]);
  expect(idle(...noOffers, drawn)).toEqual([]);
});

describe("what contradicts itself is refused at its place", () => {
  const found = (...changes: readonly Change[]): string[] =>
    problemsOf(changed(changes)).map(({ path, message, hint }) => `${path.join(".")}: ${message} | ${hint ?? ""}`);
  const static16 = (batchSize: number, more: Record<string, unknown> = {}): Change =>
    scheduler({ batching: { name: "static", options: { batchSize } } }, more);

  test("counts in fractions", () => {
    expect(found(static16(2.5))).toEqual([
      `${AT}scheduler.batching.options.batchSize: expected a whole number, got 2.5 | requests in a full batch`,
    ]);
    expect(found(scheduler({ batching: { name: "dynamic", options: { maxBatchSize: 1.5 } } }))).toHaveLength(1);
    expect(found(inPool({ router: { name: "two-choices", options: { d: 2.5 } } }))).toEqual([
      `${AT}router.options.d: expected a whole number, got 2.5 | replicas sampled per request`,
    ]);
    expect(found(scheduler({ batching: { name: "static", options: { timeoutMs: 2.5 } } }))).toEqual([]);
  });

  test("a batch larger than the seats; its default is told", () => {
    expect(found(static16(65, { maxNumSeqs: 64 }))).toEqual([
      `${AT}scheduler.batching.options.batchSize: a replica runs at most 64 sequences (maxNumSeqs), so that no batch gets to 65 | write at most 64, or raise maxNumSeqs`,
    ]);
    expect(found(static16(64, { maxNumSeqs: 64 }))).toEqual([]);
    const { warnings } = resolveRaw(changed([scheduler({ batching: "static" }, { maxNumSeqs: 8 })])).experiment;
    expect(warnings).toContain(
      `${AT}scheduler.batching: batches are of at most 8 requests (maxNumSeqs), fewer than the 16 of static without batchSize`,
    );
  });

  test("a swap space without room", () => {
    expect(found(scheduler({ preemption: "swap", swapSpaceGiB: 0 }))).toEqual([
      `${AT}scheduler.swapSpaceGiB: 0 GiB hold no token, so that nothing could be swapped | give it room, or write preemption: recompute`,
    ]);
  });

  test("experts shared out over one GPU", () => {
    const moe = inPool({ llm: "qwen3-30b-a3b", enableExpertParallel: true });
    expect(found(moe)[0]).toMatch(/enableExpertParallel: all experts of a layer lie on one GPU/);
    expect(found(inPool({ llm: "qwen3-30b-a3b", tensorParallelSize: 2, enableExpertParallel: true }))).toEqual([]);
  });
});

test("a loaded policy that no pool names is told", () => {
  const declared = { doc: "", options: {} };
  const policies = [
    { ...declared, kind: "batching" as const, name: "chunked" },
    { ...declared, kind: "order" as const, name: "mine" },
  ];
  const { strategies } = resolveRaw(smallExperiment()).experiment;
  const plugins = { ...NO_PLUGINS, policies } as unknown as LoadedPlugins;
  expect(unusedPolicies(plugins, strategies)).toEqual(["no pool has scheduler.order: mine, which --plugin loads"]);
});

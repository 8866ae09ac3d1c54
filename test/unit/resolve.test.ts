import { describe, expect, test } from "vitest";
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { schemasAt, valueAt, type FieldSchema } from "../../src/experiment/read.ts";
import { peopleFte } from "../../src/experiment/resolve-team.ts";
import { meanOfCutLognormal } from "../../src/experiment/resolve-traffic.ts";
import type { Recording } from "../../src/scenario/recorded-trace.ts";
import type { SyntheticTraffic } from "../../src/scenario/resolved.ts";
import { experimentJsonSchema } from "../../src/experiment/schema.ts";
import {
  catalog,
  problemsOf,
  resolveRaw,
  smallExperiment,
  withValue,
  type Path,
  type Raw,
} from "../fixtures/experiment.ts";

const main: unknown = parse(readFileSync("experiments/chat-self-host-or-api.yaml", "utf8"));

describe("the main experiment", () => {
  const { experiment } = resolveRaw(main);

  test("has the structure that the runner, the decision and the report read", () => {
    expect({
      classes: experiment.classes.map(({ name, minLevel, slo }) => [name, minLevel, slo.ttftS, slo.tpotS]),
      traffic: experiment.traffic.kind,
      startEpochS: experiment.startEpochS,
      horizonS: experiment.horizonS,
      seed: experiment.seed,
      strategies: experiment.strategies.map((strategy) => ({
        name: strategy.name,
        option: strategy.option,
        pools: strategy.pools.map(({ llm, gpu, engine, replicas, warmReplicas }) => [
          llm.id,
          gpu.id,
          engine.tensorParallelSize,
          replicas,
          warmReplicas,
        ]),
        offers: strategy.offers.map(({ provider, model, limits }) => [
          provider,
          model,
          limits.map((limit) => limit.name),
        ]),
        routes: strategy.routes.map((route) =>
          route.map(({ kind, index, overflowInFlightPerReplica }) => [kind, index, overflowInFlightPerReplica]),
        ),
        barred: strategy.barred.map((reason) => reason !== null),
      })),
      people: experiment.people.preset,
    }).toMatchSnapshot();
  });

  test("prices, capacity and coefficients come from the catalogue", () => {
    const pool = experiment.strategies[1]!.pools[0]!;
    const entry = catalog.gpus.get("h100-sxm")!;
    expect(pool.gpu.memoryBandwidthGBps).toBe(entry.memoryBandwidthGBps);
    expect(pool.usdPerGpuHour).toBe(
      catalog.gpuPrices.get("nebius-on-demand")!.rows.find((row) => row.gpu === "h100-sxm" && row.gpusPerNode === 8)!
        .usdPerGpuHour,
    );
    expect(pool.coefficients.scope).toContain("llama-3.1-70b"); // the same architecture, layer by layer
    expect(pool.engine.kvBlocks * pool.engine.blockTokens).toBeGreaterThan(pool.engine.maxModelLen);
    expect(pool.outsideValidatedRange).toBeNull();
    const offer = experiment.strategies[0]!.offers[0]!;
    expect(offer.prices[0]!.outputUsdPerMTok).toBe(
      catalog.offers.get("openai/gpt-5-mini")!.prices[0]!.outputUsdPerMTok,
    );
    expect(offer.limits.length).toBeGreaterThan(0);
    expect(offer.congestion![0]!.next).toHaveLength(offer.congestion!.length);
  });

  test("is plain data that crosses to a worker", () => {
    expect(structuredClone(experiment)).toEqual(experiment);
  });
});

describe("origins", () => {
  const { experiment, origins } = resolveRaw(
    withValue(smallExperiment(), ["strategies", "both", "offers", "gpt", "latency"], { ttftBaseS: 9 }),
    { seed: "x", replications: 2 },
  );

  function leaves(value: unknown, at: string): string[] {
    if (
      typeof value !== "object" ||
      value === null ||
      (Array.isArray(value) && value.every((item) => typeof item !== "object"))
    )
      return [at];
    return Object.entries(value).flatMap(([key, child]) => leaves(child, at === "" ? key : `${at}.${key}`));
  }

  function originOf(path: string): string | undefined {
    for (let key = path; key !== ""; key = key.slice(0, Math.max(0, key.lastIndexOf("."))))
      if (key in origins) return origins[key];
    return undefined;
  }

  test("every resolved value has one", () => {
    expect(leaves(experiment, "").filter((path) => originOf(path) === undefined)).toEqual([]);
  });

  test("they tell apart file, default, preset, catalogue, derived and command line", () => {
    expect(originOf("title")).toBe("file");
    expect(originOf("warmupS")).toBe("default");
    expect(originOf("traffic.spearman")).toBe("preset:chat-azure-2023");
    expect(originOf("strategies.1.pools.0.gpu.memoryGB")).toBe("catalogue:gpus/h100-sxm");
    expect(originOf("strategies.1.pools.0.engine.kvBlocks")).toBe("derived");
    expect(originOf("strategies.2.offers.0.latency.ttftBaseS")).toBe("file");
    expect(originOf("strategies.2.offers.0.latency.tokensPerS")).toMatch(/^catalogue:latency-classes\//);
    expect(originOf("seed")).toBe("cli");
    expect(originOf("replications")).toBe("cli");
  });
});

describe("assumptions", () => {
  const { experiment } = resolveRaw(main);
  const byId = new Map(experiment.assumptions.map((assumption) => [assumption.id, assumption]));

  test("carry source, date and kind, once each and in order", () => {
    const ids = experiment.assumptions.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)].sort());
    for (const { id, label, source, asOf, value } of experiment.assumptions) {
      expect([id, label.length > 0, source.length > 2, /^\d{4}(-\d\d)?(-\d\d)?$/.test(asOf)]).toEqual([
        id,
        true,
        true,
        true,
      ]);
      expect([id, value === undefined || Number.isNaN(value)]).toEqual([id, false]);
    }
  });

  test.each([
    ["gpus/h100-sxm/memoryBandwidthGBps", "published", "GB/s"],
    ["experiment/classes/open/slo/ttftMs", "declared", "ms"],
    ["experiment/traffic/growthPerMonth", "declared", "1/month"],
    ["experiment/classes/open/timeoutS", "assumed", "s"],
    ["experiment/team/incidentsPerMonth", "assumed", "1/month"],
    ["offers/openai/gpt-5-mini/inputUsdPerMTok", "published", "USD/Mtok"],
    ["gpu-prices/nebius-on-demand/h100-sxm/usdPerGpuHour", "published", "USD/GPU-h"],
    ["people/standard/minFteByPlatformLevel/3", "assumed", "FTE"],
  ])("%s", (id, kind, unit) => {
    expect(byId.get(id)).toMatchObject({ kind, unit });
  });

  test("what the file sets is declared and not assumed any more", () => {
    const raw = withValue(smallExperiment(), ["classes", 0, "timeoutS"], 30);
    const declared = resolveRaw(raw).experiment.assumptions.find(({ id }) => id === "experiment/classes/open/timeoutS");
    expect(declared).toMatchObject({ kind: "declared", value: 30 });
  });
});

describe("every field of the file moves something", () => {
  const inline = { kind: "constant", tokens: 100 };
  const openPool: Path = ["strategies", "own", "pools", "gpus"];
  const offer: Path = ["strategies", "both", "offers", "gpt"];
  const outages = {
    gapWeibullShape: 0.9,
    gapWeibullScaleH: 50,
    durationLnHMean: 1,
    durationLnHSigma: 2,
    durationMaxH: 9,
    profile: "anthropic-2023-2024",
    targetAvailability: 0.99,
    commonCauseFraction: 0.03,
  };
  const latency = {
    class: "custom-silicon",
    minTokensPerS: 50,
    ttftBaseS: 9,
    ttftSigma: 0.9,
    tailProbability: 0.9,
    tailMultiple: 9,
    tailSigma: 0.9,
    prefillSPerKTok: 9,
    tokensPerS: 9,
    rateSigma: 0.9,
  };
  const decision = {
    attainTarget: 0.9,
    marginFraction: 0.2,
    uSloMin: 0.6,
    peakToMeanMax: 5,
    wapeMax: 0.4,
    apiShareFraction: 0.1,
    controlledShareFraction: 0.9,
    softPremium: 2,
    gateMin: 3,
    teamMeanMin: 3,
    softNeeds: 3,
    splitShareFraction: 0.4,
  };
  const each = (path: Path, values: Record<string, unknown>): [Path, unknown][] =>
    Object.entries(values).map(([field, value]) => [[...path, field], value]);

  const SESSIONS = {
    turns: { mean: 3, max: 9 },
    thinkTimeS: { medianS: 30, sigma: 1, breaks: { share: 0.1, medianS: 60, sigma: 1 } },
    newInput: { kind: "constant", tokens: 50 },
    maxContextTokens: 9000,
    compaction: { share: 0.1, keptFraction: 0.5 },
    subAgents: { share: 0.1, parallel: 2, calls: 2, input: { kind: "constant", tokens: 70 } },
  };
  const changes: [Path, unknown][] = [
    ...each([], {
      id: "other",
      title: "Other",
      question: "What?",
      asOf: "2026-12-24",
      start: "2026-11-03",
      days: 2,
      warmupMinutes: 5,
      seed: 2,
      replications: 3,
      client: "openai-python",
      stepTimeError: "drawn",
    }),
    ...each(["classes", 0, "reasoning"], { medianTokens: 20, sigma: 0.5, maxTokens: 90 }),
    ...each(["classes", 0], {
      name: "open2",
      sensitivity: "moderate",
      minLevel: 1,
      allowedPlaces: ["private_vpc"],
      quality: "premium_api_only",
      premiumPrivatelyOffered: true,
      customization: [{ name: "own-weights", need: "must" }],
      timeoutS: 60,
      priority: 2,
    }),
    ...each(["classes", 0, "sharedPrefix"], { tokens: 90, groups: 3 }),
    [["classes", 0, "input"], { kind: "constant", tokens: 90 }],
    [["classes", 0, "output"], { kind: "constant", tokens: 90 }],
    ...each(["classes", 0, "repeats"], { questions: 90, zipfExponent: 0.7 }),
    ...each(["strategies", "own", "responseCache"], { hitFraction: 0.2, ttlS: 60, latencyMs: 2 }),
    [["classes", 1, "residency"], ["nowhere"]],
    [["classes", 1, "redactable"], true],
    ...each(["classes", 0, "slo"], {
      ttftMs: 100,
      tpotMs: 10,
      e2eMs: 1000,
      target: 0.9,
      strict: true,
      basis: "windows",
    }),
    ...each(["traffic"], {
      requestsPerS: 1,
      growthPerMonth: 0.1,
      season: "flat",
      spearman: 0.5,
      input: inline,
      output: inline,
      burst: { components: [], gapCv: 1 },
    }),
    ...each(["traffic", "maxOutput"], { factor: 2, minTokens: 10 }),
    [["traffic", "timeZone"], "America/New_York"],
    ...each(["traffic", "holidays", 0], { date: "2026-11-03", factor: 0.2 }),
    ...each(["traffic", "dayLevel"], { sigma: 0.4, persistence: 0.3 }),
    ...each(["traffic", "drift"], { sigma: 0.4, tauS: 900 }),
    ...each(["traffic", "pulses", 0], {
      at: "2026-11-02T09:00Z",
      peak: 3,
      riseMinutes: 9,
      holdHours: 9,
      decayHours: 9,
    }),
    [["traffic", "pulses", 1, "perMonth"], 9],
    ...each(["traffic", "burst", "switching"], { highFactor: 3, highS: 9, lowS: 90 }),
    ...each(["traffic", "burst", "clients"], { count: 9, rateSigma: 2, topShare: 0.5, lengthShare: 0.5 }),
    ...each(["traffic", "burst", "clients", "intermittent"], {
      volumeShare: 0.9,
      onMedianS: 9,
      onSigma: 0.9,
      offMedianS: 9,
      offSigma: 0.9,
    }),
    ...each(["traffic", "burst", "jobs"], { medianRequests: 9, sigma: 0.9 }),
    ...each(["traffic", "sessions"], { turns: [1, 1], newInput: inline, carryContext: false, maxContextTokens: 1000 }),
    ...each(["traffic", "sessions", "turns"], { mean: 4, max: 5 }),
    [["traffic", "sessions", "turns"], { medianTurns: 4, sigma: 1 }],
    ...each(["traffic", "sessions", "turns"], { medianTurns: 3, sigma: 0.5 }),
    ...each(["traffic", "sessions", "thinkTimeS"], { medianS: 9, sigma: 0.3 }),
    ...each(["traffic", "sessions", "thinkTimeS", "breaks"], { share: 0.2, medianS: 90, sigma: 0.4 }),
    ...each(["traffic", "sessions", "compaction"], { share: 0.2, keptFraction: 0.4 }),
    ...each(["traffic", "sessions", "subAgents"], { share: 0.2, parallel: 3, calls: 4, input: inline }),
    ...each(["team"], {
      preset: "leading",
      region: "eu",
      rotaOk: true,
      incidentsPerMonth: 20,
      releasesPerMonth: 40,
      engineUpgradesPerMonth: 9,
    }),
    ...each(["strategies", "own"], { title: "Ours" }),
    ...each(openPool, {
      llm: "qwen3-8b",
      gpu: "h200",
      engine: "vllm-engine-clock",
      weightDtype: "fp8",
      kvDtype: "fp8",
      tensorParallelSize: 2,
      pipelineParallelSize: 2,
      replicas: "auto",
      warmReplicas: 1,
      gpuPrice: "lambda-on-demand",
      gpusPerNode: 4,
      place: "onprem",
      boundaryLevel: 7,
      maxNumSeqs: 64,
      maxNumBatchedTokens: 4096,
      longPrefillTokenThreshold: 512,
      gpuMemoryUtilization: 0.8,
      blockTokens: 32,
      kvBlocks: 9000,
      maxModelLen: 16_384,
      router: "least-in-flight",
      maxWaitingPerReplica: 10,
      networkMs: 9,
      incidents: "unstable",
    }),
    ...each([...openPool, "scheduler"], {
      batching: "continuous",
      order: "edf",
      preemption: "swap",
      swapSpaceGiB: 9,
      hostLinkGBps: 9,
      admission: "reserve",
      prefixCaching: "lru",
      capturedBatchSizes: [8, 16],
    }),
    ...each([...openPool, "scheduler", "batching"], { name: "dynamic", options: { batchSize: 4 } }),
    ...each([...openPool, "scheduler", "order"], { name: "edf", options: { sigma: 1 } }),
    ...each([...openPool, "scheduler", "speculative"], {
      draftTokens: 5,
      acceptance: 0.5,
      draftCost: 0.2,
      mode: "mean-field",
    }),
    ...each([...openPool, "handOff"], { to: "decoders", transferGBps: 9, latencyMs: 9 }),
    ...each([...openPool, "stepTimeTable", 0], { batchTokens: 2, promptMs: 9, tokenMs: 9 }),
    [[...openPool, "router"], { name: "two-choices", options: { d: 3 } }],
    [[...openPool, "gpuPrice"], { usdPerGpuHour: 1 }],
    ...each([...openPool, "coldStart"], { profile: "vllm-cold", restartS: 1, provisionS: 1 }),
    ...each(offer, {
      offer: "openai/gpt-5-mini@tier-1",
      boundary: "zdr",
      priceMultiplier: 0.5,
      networkMs: 99,
      limits: { rpm: { limitPerMin: 1 } },
      promptCache: "none",
      diurnal: "none",
      congestion: "none",
      outages: "none",
    }),
    [[...offer, "limits"], { rpm: { burstS: 1 } }],
    [[...offer, "limits"], "none"],
    [[...offer, "retire"], { on: "2026-11-02", replacement: "openai/gpt-5.4-mini" }],
    [[...offer, "pricePath"], { factor: 0.5, everyMonths: 0.01, lagMonths: 0 }],
    ...each([...offer, "promptCache"], { ttlS: 60, minTokens: 9, stepTokens: 16 }),
    ...each([...offer, "latency"], latency),
    ...each([...offer, "outages"], outages),
    [["strategies", "both", "routes", "open"], ["gpt"]],
    [["strategies", "both", "routes", "open", 0, "overflowInFlightPerReplica"], 9],
    ...each(["decision"], decision),
  ];
  /** Parts that the small experiment leaves out, where a field of theirs is to be changed. */
  const withParts = (raw: Raw, path: Path): Raw => {
    const part = path.at(-2);
    if (path[1] === "sessions") {
      const lognormal = path.length === 4 && path[2] === "turns" && path[3] !== "mean" && path[3] !== "max";
      const turns = lognormal ? { medianTurns: 2, sigma: 0.3 } : SESSIONS.turns;
      return withValue(raw, ["traffic", "sessions"], { ...SESSIONS, turns });
    }
    if (path[0] === "traffic" && path.length > 2) return withTrafficPart(raw, path);
    if (part === "repeats") return withValue(raw, path.slice(0, -1), { questions: 10 });
    if (part === "responseCache") return withValue(raw, path.slice(0, -1), { hitFraction: 0.1 });
    if (part === "sharedPrefix") return withValue(raw, path.slice(0, -1), { tokens: 64, groups: 2 });
    if (part === "batching") return withValue(raw, path.slice(0, -1), { name: "static" });
    if (part === "order") return withValue(raw, path.slice(0, -1), { name: "predicted-shortest" });
    if (part === "speculative") return withValue(raw, path.slice(0, -1), { draftTokens: 3, acceptance: 0.7 });
    if (path.at(-3) === "stepTimeTable")
      return withValue(raw, path.slice(0, -2), [
        { batchTokens: 1, promptMs: 8, tokenMs: 8 },
        { batchTokens: 9999, promptMs: 900, tokenMs: 20 },
      ]);
    if (path[2] === "reasoning") return withValue(raw, path.slice(0, -1), { medianTokens: 50, sigma: 1 });
    if (part !== "handOff") return raw;
    const pools = path.slice(0, 3);
    const pool = valueAt(raw, path.slice(0, -2));
    const more = withValue(withValue(raw, [...pools, "decoders"], pool), [...pools, "others"], pool);
    return withValue(more, path.slice(0, -1), { to: "others" });
  };

  function withTrafficPart(raw: Raw, path: Path): Raw {
    const intermittent = { volumeShare: 0.5, onMedianS: 1, onSigma: 0.5, offMedianS: 1, offSigma: 0.5 };
    const pulse = { peak: 1, riseMinutes: 1, holdHours: 1, decayHours: 1 };
    const burst = { components: [], gapCv: 1 };
    const parts: Record<string, Raw | Raw[]> = {
      holidays: [{ date: "2026-11-02", factor: 0.5 }],
      dayLevel: { sigma: 0.2, persistence: 0.1 },
      drift: { sigma: 0.2, tauS: 600 },
      pulses: [
        { ...pulse, at: "2026-11-02T08:00Z" },
        { ...pulse, perMonth: 2 },
      ],
      switching: { highFactor: 2, highS: 10, lowS: 100 },
      clients: { count: 3, rateSigma: 1, intermittent },
      jobs: { medianRequests: 3, sigma: 0.5 },
    };
    if (path[1] === "burst")
      return withValue(raw, ["traffic", "burst"], { ...burst, [path[2]!]: parts[String(path[2])] });
    const part = parts[String(path[1])];
    return part === undefined ? raw : withValue(raw, ["traffic", path[1]!], part);
  }

  test.each(changes)("%j = %j", (path, value) => {
    let raw = withValue(withParts(smallExperiment(), path), path, value);
    // What else must change for the file to stay sound.
    if (path[0] === "classes" && path.at(-1) === "name") raw = renameClass(raw);
    if (path.at(-1) === "minLevel" || path.at(-1) === "sensitivity")
      raw = withValue(raw, ["classes", 0, "redactable"], false);
    if (path.at(-1) === "redactable") {
      // It changes what moderate content needs.
      raw = withValue(raw, ["classes", 1, "sensitivity"], "moderate");
      const unredacted = withoutAssumptions(withValue(raw, path, false)).classes[1]!.minLevel;
      expect(unredacted).toBe(2);
      expect(withoutAssumptions(raw).classes[1]!.minLevel).toBe(0);
      return;
    }
    if (path.at(-1) === "residency") {
      expect(resolveRaw(raw).experiment.strategies[1]!.barred[1]).toContain("must stay in nowhere");
      return;
    }
    const before = JSON.stringify(withoutAssumptions(withParts(smallExperiment(), path)));
    expect(JSON.stringify(withoutAssumptions(raw))).not.toBe(before);
  });

  test("and none is left out of this list", () => {
    const root = experimentJsonSchema() as FieldSchema;
    expect(fieldsBelow(root, []).length).toBeGreaterThan(100);
    const covered = new Set(changes.map(([path]) => generic(path)));
    const parents = new Set(
      [...covered].flatMap((path) => path.split(".").map((_, i, parts) => parts.slice(0, i).join("."))),
    );
    // What only explains, what selects another form that tests of its own cover, and shares, which must move together.
    const excluded = [
      "prediction",
      "finding",
      "classes.*.share",
      "traffic.preset",
      "traffic.replay",
      "team.levels",
      "strategies.*.option",
      "strategies.*.routes",
      "strategies.*.pools.*.residency",
      // `resolve-forms.test.ts`.
      "strategies.*.offers.*.form",
      "strategies.*.pools.*.managed",
      "strategies.*.pools.*.scaleToZero",
      // `resolve-prices.test.ts`.
      "strategies.*.offers.*.pricePath",
      "strategies.*.offers.*.retire",
      // `resolve-boundary.test.ts`.
      "strategies.*.offers.*.residency",
      "strategies.*.redaction",
      // A path needs two ends: `network-path.test.ts`.
      "classes.*.region",
      "traffic.region",
      "strategies.*.pools.*.region",
      "strategies.*.offers.*.region",
      // `resolve-forms.test.ts`.
      "strategies.*.offers.*.form",
      "strategies.*.pools.*.managed",
      "strategies.*.pools.*.scaleToZero",
      // For models with experts: `resolve-layout.test.ts`.
      "strategies.*.pools.*.dataParallelSize",
      "strategies.*.pools.*.enableExpertParallel",
      // How clients retry and who chooses among targets: `resolve-dispatch.test.ts`.
      "client",
      "strategies.*.client",
      "strategies.*.dispatch",
      "strategies.*.breaker",
      "strategies.*.hedge",
    ];
    expect(
      fieldsBelow(root, []).filter(
        (path) =>
          !covered.has(path) &&
          !parents.has(path) &&
          !excluded.some((skip) => path === skip || path.startsWith(`${skip}.`)),
      ),
    ).toEqual([]);
  });

  function withoutAssumptions(raw: Raw) {
    const { assumptions: _, ...experiment } = resolveRaw(raw).experiment;
    return experiment;
  }

  function renameClass(raw: Raw): Raw {
    let result = raw;
    for (const strategy of ["api", "own", "both"]) {
      const routes = (result["strategies"] as Record<string, { routes: Raw }>)[strategy]!.routes;
      result = withValue(result, ["strategies", strategy, "routes"], {
        open2: routes["open"],
        secret: routes["secret"],
      });
    }
    return result;
  }

  /** Names the user chooses and positions are alike. */
  function generic(path: Path): string {
    return path
      .map((step, i) =>
        typeof step === "number" || ["strategies", "pools", "offers", "routes"].includes(String(path[i - 1]))
          ? "*"
          : step,
      )
      .join(".");
  }

  /** Fields of the file by generic path, down to groups that are one value to the user (lengths, bursts, needs, options). */
  function fieldsBelow(root: FieldSchema, path: Path): string[] {
    const whole = [
      "newInput",
      "input",
      "output",
      "burst",
      "customization",
      "options",
      "limits",
      "router",
      "gpuPrice",
      "routes",
      "replay",
      "levels",
    ];
    if (whole.includes(String(path.at(-1)))) return [generic(path)];
    const names = new Set<string>();
    let more: string[] = [];
    for (const schema of schemasAt(root, path)) {
      for (const name of Object.keys(schema.properties ?? {})) names.add(name);
      if (typeof schema.additionalProperties === "object" && more.length === 0)
        more = fieldsBelow(root, [...path, "x"]);
      if (schema.items?.properties !== undefined) more = fieldsBelow(root, [...path, 0]);
    }
    if (names.size === 0) return more.length > 0 ? more : [generic(path)];
    return [...names].flatMap((name) => fieldsBelow(root, [...path, name]));
  }
});

describe("traffic", () => {
  const inline = {
    requestsPerS: 2,
    input: { kind: "lognormal", meanTokens: 2500, sigma: 1, minTokens: 1, maxTokens: 20_000 },
    output: { kind: "quantiles", percentiles: [0, 50, 100], tokens: [1, 100, 500], meanTokens: 180 },
  };

  test("fully inline traffic is Poisson, flat and without correlation unless it says otherwise", () => {
    const traffic = resolveRaw(withValue(smallExperiment(), ["traffic"], inline)).experiment
      .traffic as SyntheticTraffic;
    expect(traffic).toMatchObject({
      kind: "synthetic",
      meanRatePerS: 2,
      hourOfWeek: null,
      burst: { components: [], gapCv: 1 },
      spearman: 0,
      maxOutput: { factor: 4, minTokens: 1024 },
    });
  });

  test("a lognormal length has the asked mean after it is cut", () => {
    const { input } = resolveRaw(withValue(smallExperiment(), ["traffic"], inline)).experiment
      .traffic as SyntheticTraffic;
    if (input.kind !== "lognormal") throw new Error("expected a lognormal");
    expect(meanOfCutLognormal(input.medianTokens, input.sigma, input.minTokens, input.maxTokens)).toBeCloseTo(2500, 0);
    expect(input.medianTokens).toBeGreaterThan(2500 * Math.exp(-0.5)); // the cut takes from the mean
  });

  test("the mean of a cut lognormal agrees with summing its quantiles", () => {
    let sum = 0;
    const n = 20_000;
    for (let i = 0; i < n; i++) {
      const z = inverseNormal((i + 0.5) / n);
      sum += Math.min(9000, Math.max(50, 1000 * Math.exp(1.2 * z)));
    }
    expect(meanOfCutLognormal(1000, 1.2, 50, 9000) / (sum / n)).toBeCloseTo(1, 3);
  });

  test("a replay takes the recording as it is and runs to its end", () => {
    const recording = {
      arrivalS: Float64Array.of(0, 1.5, 99.2),
      inputTokens: Uint32Array.of(5, 6, 7),
      outputTokens: Uint32Array.of(1, 2, 3),
    };
    const raw = withValue(
      withValue(smallExperiment(), ["traffic"], { replay: { file: "x.parquet" } }),
      ["days"],
      undefined,
    );
    const { experiment } = resolveRaw(raw, { recording });
    expect(experiment.traffic).toMatchObject({
      kind: "replay",
      file: "x.parquet",
      arrivalS: recording.arrivalS,
      inputTokens: recording.inputTokens,
    });
    expect(experiment.horizonS).toBe(100);
    const cut = resolveRaw(withValue(raw, ["days"], 50 / 86_400), { recording }).experiment;
    expect(cut.horizonS).toBeCloseTo(50);
    expect(cut.warnings.join()).toContain("only its first 50 s are replayed");
  });

  test("a replay takes the max_tokens and the classes that the recording names, and tells what it does not take", () => {
    const names = ["a", "b", "c"];
    const recording = {
      arrivalS: Float64Array.of(0, 1, 2, 3),
      inputTokens: new Uint32Array(4).fill(5),
      outputTokens: new Uint32Array(4).fill(2),
      maxOutputTokens: Uint32Array.of(9, 0, 9, 9),
      classNames: { codes: Int32Array.of(1, 0, 1, 0), names },
    };
    const replay = withValue(
      withValue(smallExperiment(), ["traffic"], { replay: { file: "x.parquet" } }),
      ["days"],
      undefined,
    );
    const of = (classes: readonly string[], change: Partial<Recording> = {}, traffic: object = {}) => {
      const raw = withValue(
        withValue(replay, ["traffic"], { replay: { file: "x.parquet" }, ...traffic }),
        ["classes"],
        classes.map((name) => ({ name, share: 1 / classes.length })),
      );
      const routed = withValue(raw, ["strategies"], {
        own: {
          pools: { gpus: { llm: "llama-3.1-8b", gpu: "h100-sxm", gpuPrice: "nebius-on-demand", replicas: 2 } },
          routes: Object.fromEntries(classes.map((name) => [name, ["gpus"]])),
        },
      });
      const { experiment } = resolveRaw(routed, { recording: { ...recording, ...change } });
      const { traffic: found, warnings } = experiment;
      if (found.kind !== "replay") throw new Error("no replay");
      return { found, told: warnings.filter((one) => one.includes("recording") || one.includes("recorded")) };
    };
    const both = of(["b", "a"]);
    expect(both.found.maxOutputTokens).toBe(recording.maxOutputTokens);
    expect([...both.found.classIndex!]).toEqual([0, 1, 0, 1]);
    expect(both.told).toEqual([]);

    const some = of(["a", "other"]);
    expect([...some.found.classIndex!]).toEqual([255, 0, 255, 0]);
    expect(some.told).toEqual([
      "2 of 4 requests of the recording name none of its classes (b, c, or nothing): theirs are drawn by the shares",
      expect.stringMatching(/^class a has 100.0 % of the recorded requests, and a share of 50.0 %/),
      expect.stringMatching(/^class other has 0.0 % of the recorded requests/),
    ]);

    // Turns without a name are of the class of their session.
    const turns = { codes: Int32Array.of(-1, 0, 1, -1), names };
    const sessions = Uint32Array.of(7, 8, 7, 9);
    const ofSession = of(["b", "a"], { classNames: turns, sessions });
    expect([...ofSession.found.classIndex!]).toEqual([0, 1, 0, 255]);
    expect(ofSession.told[0]).toContain("1 of 4 requests of the recording name none of its classes (c, or nothing)");

    const none = of(["x", "y"]);
    expect(none.found.classIndex).toBeUndefined();
    expect(none.told.join()).toContain("the recording names the classes a, b, c, which the experiment does not have");
    expect(of(["x"]).told).toEqual([]);

    const ruled = of(["a", "b"], {}, { maxOutput: { factor: 2 } });
    expect(ruled.found.maxOutputTokens).toBeUndefined();
    expect(ruled.told).toEqual([
      "the recording has the max_tokens of its requests: traffic.maxOutput goes before them",
    ]);
  });
});

describe("people", () => {
  const people = catalog.people.get("standard")!;
  const work = { incidents: 10, releases: 4, engineUpgrades: 1, nodes: 7 };

  test.each([
    ["ready", work, 1.39375],
    ["leading", { ...work, incidents: 2, releases: 8 }, 1],
    ["app_team", work, 2.04375],
  ])("%s", (preset, month, fte) => {
    expect(peopleFte(people, catalog.teams.get(preset)!.levels, month)).toBeCloseTo(fte, 10);
  });

  test("without own pools nobody is paid", () => {
    const raw = smallExperiment();
    const { api } = raw["strategies"] as Raw;
    expect(resolveRaw({ ...raw, strategies: { api } }).experiment.people.fte).toBe(0);
    expect(resolveRaw(raw).experiment.people.fte).toBeGreaterThanOrEqual(1);
  });

  test("levels of one's own replace the preset", () => {
    const levels = {
      platform: 0,
      gpu_capacity: 1,
      observability: 2,
      release: 3,
      incident_coverage: 4,
      perf_engineering: 0,
    };
    const { team } = resolveRaw(withValue(smallExperiment(), ["team"], { levels })).experiment;
    expect(team?.levels).toEqual(levels);
  });
});

describe("a study of serving alone", () => {
  const own = ["strategies", "own", "pools", "gpus"] as const;
  const raw = ["api", "both"].reduce(
    (left, name) => withValue(left, ["strategies", name], undefined),
    withValue(withValue(smallExperiment(), ["team"], undefined), [...own, "gpuPrice"], undefined),
  );

  test("needs no offer, no price, no team and no thresholds", () => {
    const { experiment } = resolveRaw(raw);
    expect(experiment.team).toBeNull();
    expect(experiment.people.fte).toBe(0);
    expect(experiment.strategies[0]!.pools[0]!.usdPerGpuHour).toBeNull();
    expect(experiment.warnings).toEqual([]);
    expect(experiment.assumptions.filter(({ id }) => /^(gpu-prices|people|teams|experiment\/team)/.test(id))).toEqual(
      [],
    );
  });

  test("what its money lacks is said, where money can be expected", () => {
    const noTeam = withValue(smallExperiment(), ["team"], undefined);
    const people = "no team is named: people are not in the cost of own GPUs, and there is no verdict";
    const said = (of: Raw): string[] =>
      resolveRaw(of).experiment.warnings.filter((warning) => warning.includes("there is no verdict"));
    expect(said(noTeam)).toEqual([people]);
    expect(said(smallExperiment())).toEqual([]);
    const halfPriced = withValue(noTeam, [...own, "gpuPrice"], undefined);
    const noMoney = "no money is shown, and there is no verdict: no gpuPrice is given for own.gpus";
    expect(said(halfPriced)).toEqual([noMoney]);
    // APIs alone have all their cost without people.
    const { api } = noTeam["strategies"] as Raw;
    expect(said(withValue(noTeam, ["strategies"], { api }))).toEqual([]);
  });

  test("a price that is given is taken; with a team it has to be given", () => {
    const priced = withValue(raw, [...own, "gpuPrice"], { usdPerGpuHour: 2 });
    expect(resolveRaw(priced).experiment.strategies[0]!.pools[0]!.usdPerGpuHour).toBe(2);
    expect(problemsOf(withValue(raw, ["team"], { preset: "ready" })).map(({ path }) => path)).toEqual([
      [...own, "gpuPrice"],
    ]);
  });
});

test("old prices are warned of by their age at the experiment's date", () => {
  const { warnings } = resolveRaw(withValue(smallExperiment(), ["asOf"], "2028-01-01")).experiment;
  expect(warnings.some((warning) => /^price of openai\/gpt-5-mini is \d+ days old/.test(warning))).toBe(true);
});

test("an alias of the catalogue is accepted and resolved to its entry", () => {
  const [alias, id] = [...catalog.gpus.values()]
    .flatMap((gpu) => gpu.aliases.map((name) => [name, gpu.id] as const))
    .find(([, gpu]) => gpu === "h100-sxm")!;
  expect(
    resolveRaw(withValue(smallExperiment(), ["strategies", "own", "pools", "gpus", "gpu"], alias)).experiment
      .strategies[1]!.pools[0]!.gpu.id,
  ).toBe(id);
});

/** Inverse of the normal distribution by bisection on the error function's series: slow and independent of the code tested. */
function inverseNormal(p: number): number {
  let low = -9;
  let high = 9;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (normal(middle) < p) low = middle;
    else high = middle;
  }
  return low;
}

function normal(x: number): number {
  let term = x;
  let sum = x;
  for (let i = 1; i < 200; i++) {
    term *= (x * x) / (2 * i + 1);
    sum += term;
  }
  return 0.5 + sum * (Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI));
}

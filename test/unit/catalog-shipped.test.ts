/** What ships in `models/`: complete, consistent with itself, and equal to the figures of its sources where those are known. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { find } from "../../src/catalog/catalog.ts";
import { offerFacts } from "../../src/catalog/offer.ts";
import { matches } from "../../src/catalog/offer-tiers.ts";
import { originOf, rowOriginOf } from "../../src/catalog/origin.ts";
import { coldStartTimes, gpuPriceFact, incidentFacts, schedulerDefaults } from "../../src/catalog/pool-facts.ts";
import { CATALOG_KINDS, KINDS, type Catalog, type CatalogKind } from "../../src/catalog/schema.ts";
import { loadCatalog, MODELS_DIRECTORY, type CatalogFiles } from "../../src/node/catalog-files.ts";
import { INPUT } from "../fixtures/provider-offer.ts";
import { NO_CHARGE } from "../../src/scenario/limits.ts";

let files: CatalogFiles;
let catalog: Catalog;

beforeAll(async () => {
  files = await loadCatalog();
  catalog = files.catalog;
});

interface PlainEntry {
  readonly id: string;
  readonly file: string;
  readonly aliases: readonly string[];
  readonly source: string;
  readonly asOf: string;
  readonly kind: "measured" | "published" | "fitted" | "assumed";
}

function entriesOf(kind: CatalogKind): readonly PlainEntry[] {
  return [...(catalog[kind] as ReadonlyMap<string, PlainEntry>).values()];
}

function found<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string },
): T {
  if (!result.ok) throw new Error(result.message);
  return result.value;
}

/** Dotted paths of all numbers of a value. */
function numbersIn(value: unknown, path: string): string[] {
  if (typeof value === "number") return [path];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => numbersIn(child, path === "" ? key : `${path}.${key}`));
}

describe("the shipped files", () => {
  test("are all read, and each is hashed", () => {
    const onDisk = readdirSync(MODELS_DIRECTORY, { recursive: true, encoding: "utf8" })
      .map((name) => name.replaceAll("\\", "/"))
      .filter((name) => (name.endsWith(".yaml") && name !== "price-overlay.yaml") || /^offers\/.*\.json$/.test(name));
    expect(Object.keys(files.hashes).sort()).toEqual(onDisk.sort());
    const single = onDisk.filter((name) => !name.startsWith("offers/"));
    const entries = CATALOG_KINDS.filter((kind) => kind !== "offers").reduce(
      (sum, kind) => sum + catalog[kind].size,
      0,
    );
    expect(single.length).toBe(1 + entries);
    for (const [name, hash] of Object.entries(files.hashes)) {
      expect(hash).toBe(
        createHash("sha256")
          .update(readFileSync(join(MODELS_DIRECTORY, name)))
          .digest("hex"),
      );
    }
  });

  test("are named after their entry and lie in the folder of its kind", () => {
    for (const kind of CATALOG_KINDS) {
      for (const entry of entriesOf(kind)) {
        const own = `models/${KINDS[kind].folder}/${entry.id}.yaml`;
        const list = `models/offers/${entry.id.split("/")[0]}.json`;
        expect(kind === "offers" && entry.file.endsWith(".json") ? list : own).toBe(entry.file);
      }
    }
  });

  test("give every number a source, a date not after the catalogue's, and a kind", () => {
    let numbers = 0;
    for (const kind of CATALOG_KINDS) {
      for (const entry of entriesOf(kind)) {
        for (const path of numbersIn(entry, "")) {
          const origin = originOf(entry, path);
          numbers++;
          expect(origin.source.length, `${entry.file} ${path}`).toBeGreaterThan(2);
          expect(["measured", "published", "fitted", "assumed"]).toContain(origin.kind);
          expect(origin.asOf <= catalog.asOf, `${entry.file} ${path} ${origin.asOf}`).toBe(true);
        }
      }
    }
    expect(numbers).toBeGreaterThan(3500);
  });

  test("name neither a path of a machine nor an unfilled place", () => {
    for (const name of Object.keys(files.hashes)) {
      expect(readFileSync(join(MODELS_DIRECTORY, name), "utf8"), name).not.toMatch(/\/work\/|\/home\/|TODO|FIXME|TBD/);
    }
  });

  test("say assumed where nobody measured", () => {
    const openai = catalog.providers.get("openai")!;
    expect(originOf(openai, "networkS").kind).toBe("assumed");
    expect(originOf(openai, "limitRules.rpm.burstS").kind).toBe("assumed");
    expect(originOf(catalog.engines.get("sglang")!, "scheduler.0.maxNumSeqs").kind).toBe("assumed");
    expect(originOf(catalog.traffic.get("chat-azure-2023")!, "maxOutput.factor").kind).toBe("assumed");
    expect(originOf(catalog.providers.get("groq")!, "outageProfile").kind).toBe("assumed");
    expect(originOf(openai, "outageProfile").kind).toBe("published");
  });

  test("every id and alias finds its own entry, whatever its case", () => {
    for (const kind of CATALOG_KINDS) {
      for (const entry of entriesOf(kind)) {
        for (const name of [entry.id, entry.id.toUpperCase(), ...entry.aliases]) {
          expect(found(find(catalog, kind, name)).id, `${kind} ${name}`).toBe(entry.id);
        }
      }
    }
  });
});

describe("what must be there", () => {
  test.each([
    ["gpus", 21],
    ["llms", 35],
    ["coefficients", 4],
    ["teams", 5],
    ["teamLevels", 6],
  ] as const)("%s: %i entries", (kind, size) => {
    expect(catalog[kind].size).toBe(size);
  });

  test("47 sets fitted on everything, 41 on the calibration groups", () => {
    const sets = (fitSet: string): number =>
      [...catalog.coefficients.values()].filter((e) => e.fitSet === fitSet).reduce((sum, e) => sum + e.sets.length, 0);
    expect(sets("all")).toBe(47);
    expect(sets("calibration")).toBe(41);
  });

  test("coefficients and bands are those of the fit", () => {
    const dense = catalog.coefficients.get("calibration-dense")!;
    const global = dense.sets.find((set) => set.scope === "global")!;
    expect(global.values).toEqual({
      ew: 0.9232,
      ekv: 0.9002,
      mfu: 0.7819,
      t0Ms: 0.01,
      tlMsPerLayer: 0.04619,
      tsMsPerSeq: 0.02376,
      arMs: 0.003279,
      el: 1,
      ea: 0.5349,
      moeMsPerLayer: 0,
      mfuHalfTokens: 59.8,
      activationPasses: 36.73,
      quantMsPerLayer: 0.01454,
      fp8MfuShare: 0.7388,
      fp4MfuShare: 0.5901,
    });
    expect([global.fittedRows, global.validationRows, global.validationMapePercent]).toEqual([571, 403, 10.7]);
    expect(dense.residualBandsPercent.global).toEqual({ p5: -19, p25: -9, p50: -1, p75: 8, p95: 23 });
    expect(catalog.coefficients.get("all-moe")!.residualBandsPercent.finest.p5).toBe(-18);
  });

  test("coefficient scopes name what their scope needs, each once", () => {
    for (const entry of catalog.coefficients.values()) {
      const keys = entry.sets.map(({ scope, gpu, engine, llm, weightDtype }) => {
        expect(gpu !== undefined, scope).toBe(scope.startsWith("gpu+engine"));
        expect(engine !== undefined, scope).toBe(scope !== "global");
        expect(llm !== undefined && weightDtype !== undefined, scope).toBe(scope === "gpu+engine+model+dtype");
        return [scope, gpu, engine, llm, weightDtype].join(" ");
      });
      expect(new Set(keys).size).toBe(keys.length);
    }
  });
});

describe("models", () => {
  test("KV elements and parameters follow from the architecture", () => {
    for (const llm of catalog.llms.values()) {
      const sliding = llm.slidingWindow === null ? 0 : llm.layers - llm.fullAttentionLayers;
      if (llm.mla === null) {
        expect(llm.kvElementsPerToken, llm.id).toBe(2 * llm.fullAttentionLayers * llm.kvHeads * llm.headDim);
        expect(llm.kvElementsPerTokenSliding, llm.id).toBe(2 * sliding * llm.kvHeads * llm.headDim);
      } else {
        expect(llm.kvElementsPerToken, llm.id).toBe(llm.layers * (llm.mla.kvLoraRank + llm.mla.qkRopeHeadDim));
      }
      expect(llm.embeddingParams, llm.id).toBe(llm.vocabSize * llm.hiddenSize);
      const embedding = llm.tiedEmbeddings ? 0 : llm.embeddingParams;
      expect(llm.params, llm.id).toBe(llm.nonExpertParams + llm.expertParams + embedding);
      if (llm.moe === null) expect(llm.activeParams, llm.id).toBe(llm.nonExpertParams);
      else {
        const { experts, expertsPerToken, expertFfnSize, moeLayers } = llm.moe;
        expect(llm.expertParams, llm.id).toBe(moeLayers * experts * 3 * llm.hiddenSize * expertFfnSize);
        expect(llm.activeParams, llm.id).toBe(llm.nonExpertParams + (llm.expertParams * expertsPerToken) / experts);
      }
    }
  });

  test("a model of the same architecture counts the same", () => {
    const twins = [...catalog.llms.values()].filter((llm) => llm.architectureOf !== undefined);
    expect(twins.map((llm) => llm.id)).toEqual(["llama-3.3-70b"]);
    for (const twin of twins) {
      const other = catalog.llms.get(twin.architectureOf!)!;
      expect([twin.params, twin.layers, twin.kvElementsPerToken]).toEqual([
        other.params,
        other.layers,
        other.kvElementsPerToken,
      ]);
    }
  });
});

describe("pools", () => {
  const price = (gpu: string, reference: string, gpusPerReplica = 1) =>
    gpuPriceFact(catalog, gpu, reference, gpusPerReplica);

  test("a rate is that of the cheapest node that holds a replica, of equals the smallest", () => {
    expect(found(price("h100-sxm", "nebius-on-demand", 1))).toMatchObject({ usdPerGpuHour: 2.95, gpusPerNode: 1 });
    expect(found(price("h100-sxm", "nebius-on-demand", 2))).toMatchObject({ usdPerGpuHour: 2.95, gpusPerNode: 8 });
    expect(found(price("l4", "aws-on-demand", 1)).usdPerGpuHour).toBe(0.8048);
    expect(found(price("l4", "aws-on-demand", 4)).usdPerGpuHour).toBe(1.1504);
    expect(found(price("l4", "aws-on-demand@g6.48xlarge", 4)).usdPerGpuHour).toBe(1.6688);
    expect(found(price("h100-sxm", "market-median", 8))).toMatchObject({
      usdPerGpuHour: 2.95,
      origin: { asOf: "2026-05" },
    });
  });

  test("what has no rate says who has one", () => {
    expect(price("h200", "lambda-on-demand")).toMatchObject({
      ok: false,
      message: "lambda-on-demand has no rate for h200",
    });
    expect(price("h200", "lambda-on-demand")).toHaveProperty("hint", expect.stringContaining("nebius-on-demand"));
    expect(price("h100-sxm", "verda-on-demand", 2)).toMatchObject({ ok: false });
    expect(price("h100-sxm", "nebius-ondemand")).toMatchObject({ ok: false, hint: 'did you mean "nebius-on-demand"?' });
  });

  test("each GPU that the brief price table covers has a rate", () => {
    for (const gpu of ["h100-sxm", "h200", "a100-80gb-sxm", "l40s", "l4", "b200"]) {
      expect(found(price(gpu, "aws-on-demand")).usdPerGpuHour, gpu).toBeGreaterThan(0);
    }
  });

  test("a row's own date wins over its file's", () => {
    const gcp = catalog.gpuPrices.get("gcp-on-demand")!;
    const l4 = gcp.rows.findIndex((row) => row.gpu === "l4");
    expect(rowOriginOf(gcp, `rows.${l4}`, gcp.rows[l4]!).asOf).toBe("2026-09");
    expect(gcp.asOf).toBe("2026");
  });

  test("scheduler defaults go by memory", () => {
    const vllm = catalog.engines.get("vllm")!;
    const of = (id: string, memoryGB: number): unknown => schedulerDefaults(vllm, { id, memoryGB });
    expect(of("h100-sxm", 80)).toEqual({ maxNumSeqs: 1024, maxNumBatchedTokens: 8192 });
    expect(of("l40s", 48)).toEqual({ maxNumSeqs: 256, maxNumBatchedTokens: 2048 });
    expect(of("b200", 180)).toEqual({ maxNumSeqs: 1024, maxNumBatchedTokens: 16_384 });
    expect(of("a100-80gb-sxm", 80)).toEqual({ maxNumSeqs: 256, maxNumBatchedTokens: 2048 });
  });

  test("incident presets pick the node rate of the GPU and the repair of the place", () => {
    const typical = found(incidentFacts(catalog, "typical", "a100-80gb-sxm", "private_vpc"));
    expect(typical.nodeFailure?.failuresPerNodeDay).toBe(0.0065);
    expect(typical.nodeRepair.time.medianS).toBe(900);
    expect(typical.engineCrash?.crashesPerReplicaDay).toBe(0.1);
    expect(found(incidentFacts(catalog, "typical", "h100-sxm", "onprem")).nodeFailure?.failuresPerNodeDay).toBe(
      0.00379,
    );
    expect(found(incidentFacts(catalog, "typical", "h100-sxm", "onprem")).nodeRepair.time.medianS).toBe(1800);
    // No failure study lists an L4: the first entry stands in.
    expect(found(incidentFacts(catalog, "typical", "l4", "onprem")).nodeFailure?.id).toBe("node-h100-llama3");
    const none = found(incidentFacts(catalog, "none", "h100-sxm", "onprem"));
    expect([none.nodeFailure, none.engineCrash]).toEqual([null, null]);
    expect(incidentFacts(catalog, "node-reboot", "h100-sxm", "onprem")).toMatchObject({ ok: false });
  });

  test("start times reproduce the published ones", () => {
    let anchors = 0;
    for (const entry of catalog.coldStarts.values()) {
      for (const { what, part, weightsGB, lowS, highS } of entry.anchors) {
        const { restartS, provisionS } = coldStartTimes(entry, weightsGB);
        const timeS = part === "restart" ? restartS : part === "provision" ? provisionS : restartS + provisionS;
        expect(timeS, `${entry.id}: ${what}`).toBeGreaterThanOrEqual(lowS * 0.99);
        expect(timeS, `${entry.id}: ${what}`).toBeLessThanOrEqual((highS ?? Infinity) * 1.01);
        anchors++;
      }
    }
    expect(anchors).toBe(5);
  });
});

describe("offers", () => {
  test("the tier is part of the name", () => {
    const facts = found(offerFacts(catalog, "openai/gpt-5-mini@tier-5"));
    expect(facts.offer.prices[0]).toMatchObject({
      from: null,
      inputUsdPerMTok: 0.25,
      outputUsdPerMTok: 2,
      longContext: [],
    });
    expect(facts.limits).toEqual([
      {
        name: "rpm",
        kind: "token_bucket",
        limitPerMin: 30_000,
        burstS: 60,
        settle: null,
        failedCounts: true,
        reserve: { ...NO_CHARGE, requests: 1 },
      },
      {
        name: "tpm",
        kind: "token_bucket",
        limitPerMin: 180_000_000,
        burstS: 60,
        settle: null,
        failedCounts: false,
        reserve: { ...INPUT, op: "max", maxOutput: 1 },
      },
    ]);
    expect(facts.latency.tokensPerS).toBe(150);
    expect(facts.outages.severities.map(({ weight }) => weight)).toEqual([100, 82, 23]);
    expect(facts.congestionStates.map(({ next }) => next)).toEqual([
      [0, 1, 0],
      [0.9, 0, 0.1],
      [0, 1, 0],
    ]);
  });

  test("a tier must be named where there are several, and may be left out where there is one", () => {
    expect(offerFacts(catalog, "openai/gpt-5-mini")).toMatchObject({
      ok: false,
      hint: expect.stringContaining("@tier-5"),
    });
    expect(offerFacts(catalog, "openai/gpt-5-mini@tier5")).toMatchObject({ ok: false, hint: 'did you mean "tier-5"?' });
    expect(found(offerFacts(catalog, "groq/llama-3.3-70b")).tier).toBe("developer");
    expect(offerFacts(catalog, "openai/gpt5-mini@tier-5")).toMatchObject({
      ok: false,
      hint: 'did you mean "openai/gpt-5-mini"?',
    });
  });

  test("a daily limit starts again at midnight where the provider says so", () => {
    const limitOf = (offer: string) => found(offerFacts(catalog, offer)).limits.find(({ name }) => name === "rpd");
    expect(limitOf("groq/llama-3.3-70b")).toMatchObject({
      kind: "fixed_window",
      limit: 500_000,
      windowS: 86_400,
      zone: null,
    });
    expect(limitOf("google/gemini-2.5-flash@tier-1")).toMatchObject({
      kind: "fixed_window",
      limit: 10_000,
      zone: "America/Los_Angeles",
    });
  });

  test("Anthropic debits output when it is known, and never reserves max_tokens", () => {
    const { limits } = found(offerFacts(catalog, "anthropic/claude-haiku-4-5@scale"));
    const otpm = limits.find(({ name }) => name === "otpm")!;
    expect(otpm.reserve).toEqual(NO_CHARGE);
    expect(otpm.kind).toBe("debt_bucket");
    expect(otpm.settle).toEqual({ ...NO_CHARGE, output: 1 });
    expect(limits.every(({ reserve }) => reserve.maxOutput === 0)).toBe(true);
  });

  test("limits are of the kinds that the providers document, charged as they charge", () => {
    const limit = (offer: string, name: string) =>
      found(offerFacts(catalog, offer)).limits.find((candidate) => candidate.name === name);
    // Cached reads are free at Anthropic; the tiers of several Opus models are one.
    expect(limit("anthropic/claude-opus-4-8@scale", "itpm")).toMatchObject({
      limitPerMin: 10_000_000,
      reserve: { ...INPUT, cacheRead: 0 },
      scope: "opus-4",
    });
    expect(limit("anthropic/claude-sonnet-5@build", "spend-month")).toMatchObject({
      kind: "spend_cap",
      usd: 1000,
      period: "month",
    });
    // Ten tokens for one of output at Bedrock, one for open models; a day is 1,440 minutes.
    const sonnet = "aws/global.anthropic.claude-sonnet-5-v1-0@default";
    expect(limit(sonnet, "tpm")).toMatchObject({
      limitPerMin: 6_000_000,
      settle: { uncached: 1, cacheRead: 0, output: 10 },
    });
    expect(limit(sonnet, "tpd")).toMatchObject({ limitPerMin: 6_000_000, burstS: 86_400, settle: { output: 10 } });
    expect(limit("aws/llama-3.3-70b", "tpm")).toMatchObject({ settle: { output: 1 } });
    // Azure: a minute of tokens that may overshoot, a tenth of the requests checked every 10 s, a month that only slows.
    expect(limit("azure/gpt-5@tier-5", "tpm")).toMatchObject({
      kind: "fixed_window",
      windowS: 60,
      admitWhen: "below_limit",
    });
    expect(limit("azure/gpt-5@tier-5", "rpm")).toMatchObject({ limit: 50_000, windowS: 10, admitWhen: "fits" });
    expect(limit("azure/gpt-5@tier-5", "tokens-month")).toMatchObject({
      kind: "soft_threshold",
      limit: 32e9,
      latencyFactor: 2,
    });
    expect(limit("google/gemini-2.5-pro@vertex-tier-2", "vertex-priority")).toMatchObject({
      kind: "soft_threshold",
      limit: 1e6,
    });
    expect(limit("google/gemini-2.5-flash@vertex-tier-2", "vertex-priority")).toMatchObject({ limit: 4e6 });
    expect(limit("google/gemini-2.5-pro@tier-3", "spend-10min")).toMatchObject({ usd: 200, period: { windowS: 600 } });
    expect(limit("google/gemini-2.5-pro@tier-3", "rpd")).toBeUndefined();
    expect(limit("fireworks/glm-5p2@start", "generated-tpm")).toMatchObject({
      kind: "adaptive",
      startPerMin: 36_000,
      minPerMin: 36_000,
      maxPerMin: 360_000,
      scope: "account",
    });
    expect(limit("deepseek/deepseek-v4-flash", "concurrency")).toMatchObject({ kind: "concurrency", limit: 2500 });
  });

  test("every published row stands in limits/, and most are of an offer that ships", () => {
    const rows = [...catalog.limits.values()].flatMap((entry) =>
      entry.rows.map((row) => ({ provider: entry.provider, ...row })),
    );
    expect(rows.length).toBeGreaterThan(110);
    const models = [...catalog.offers.values()].map(
      ({ id, provider }) => [provider, id.slice(id.indexOf("/") + 1)] as const,
    );
    const unknown = rows.flatMap((row) =>
      row.models
        .filter((pattern) => !models.some(([provider, model]) => provider === row.provider && matches(pattern, model)))
        .map((pattern) => `${row.provider}/${pattern}`),
    );
    // Models for which there is no price list.
    expect([...new Set(unknown)].sort()).toEqual([
      "anthropic/claude-sonnet-5-5",
      "aws/global.openai.gpt-6-sol*",
      "azure/gpt-6-astra",
      "azure/gpt-oss-120b",
      "azure/o3-pro",
      "groq/qwen-qwen3.6-27b",
      "openai/gpt-5.2-codex",
    ]);
  });

  test("patterns of models", () => {
    const fits: readonly (readonly [string, string])[] = [
      ["a", "a"],
      ["*", "a"],
      ["a*", "abc"],
      ["*c", "abc"],
      ["a*c", "abc"],
      ["a*b*c", "axbxc"],
      ["*b*", "abc"],
    ];
    for (const [pattern, name] of fits) expect(matches(pattern, name), pattern).toBe(true);
    const misses: readonly (readonly [string, string])[] = [
      ["a", "ab"],
      ["a*", "ba"],
      ["a*a", "a"],
      ["a*b*c", "axc"],
      ["*b*c", "bxd"],
      ["", "a"],
    ];
    for (const [pattern, name] of misses) expect(matches(pattern, name), pattern).toBe(false);
  });

  test("a long-context tier reprices the whole request", () => {
    expect(catalog.offers.get("openai/gpt-6-luna")!.prices[0]!.longContext).toMatchObject([
      { aboveInputTokens: 272_000, inputUsdPerMTok: 0.2, outputUsdPerMTok: 0.75 },
    ]);
  });

  test("boundaries are the provider's", () => {
    expect(found(offerFacts(catalog, "aws/llama-3.3-70b", "in-region")).provider.boundaries["in-region"]).toMatchObject(
      { level: 4, priceMultiplier: 1.1 },
    );
    expect(offerFacts(catalog, "aws/llama-3.3-70b", "inregion")).toMatchObject({
      ok: false,
      hint: 'did you mean "in-region"?',
    });
  });
});

describe("demand, people", () => {
  test("the chat preset carries the trace's statistics", () => {
    const chat = catalog.traffic.get("chat-azure-2023")!;
    expect(chat.meanRatePerS).toBe(5.53);
    expect(chat.burst).toEqual({ components: [{ cv: 0.23, tauS: 174 }], gapCv: 1.05 });
    expect(chat.input).toMatchObject({ kind: "quantiles", meanTokens: 1154.697 });
    expect(chat.output).toMatchObject({ kind: "quantiles", meanTokens: 211.126 });
    const season = catalog.seasons.get(chat.season!)!.hourOfWeek;
    // Monday 14:00 is the busiest hour, Saturday 04:00 the quietest.
    expect([season[14], season[5 * 24 + 4]]).toEqual([Math.max(...season), Math.min(...season)]);
  });

  test("the twelve kinds of workload have a preset, with every value labelled", () => {
    const presets = [
      "chat-consumer",
      "chat-longcontext",
      "code-completion",
      "coding-agent",
      "rag",
      "summarise",
      "deep-research",
      "short-classify",
      "api-midsize",
      "reasoning",
      "multimodal",
      "batch-enrichment",
    ];
    for (const id of presets) {
      const preset = catalog.traffic.get(id)!;
      const paths = numbersIn({ ...preset, fields: undefined }, "");
      for (const path of paths) expect(originOf(preset, path).asOf, `${id} ${path}`).toMatch(/^20\d\d/);
      for (const path of Object.keys(preset.fields ?? {})) expect(preset, `${id} ${path}`).toHaveProperty(path);
      // No trace records what clients ask for.
      expect(originOf(preset, "maxOutput.factor").kind).toBe("assumed");
    }
    expect(originOf(catalog.traffic.get("code-completion")!, "burst.switching.highS")).toMatchObject({
      kind: "fitted",
      source: "fitted on a production code trace",
    });
    expect(catalog.traffic.get("reasoning")!.reasoningShare!.shares[13]).toBe(0.7565);
  });

  test("the shipped trace is the published one", () => {
    const bytes = readFileSync(join(MODELS_DIRECTORY, "traffic", catalog.traffic.get("chat-azure-2023")!.trace!));
    const hash = createHash("sha256").update(bytes).digest("hex");
    expect(hash).toBe("d83d97d3979ba44ec74022890ad32affc12356dd833c527dfd6c3d13b00a5605");
  });

  test("SDKs differ in how long a Retry-After they obey", () => {
    const bound = (id: string): number | null => catalog.clients.get(id)!.maxRetryAfterS;
    expect([bound("openai-node"), bound("anthropic-node"), bound("openai-python")]).toEqual([null, null, 120]);
    expect(catalog.clients.get("none")).toMatchObject({ maxRetries: 0, honorRetryAfter: false });
  });

  test.each([
    { team: "ready", incidents: 10, releases: 4, hours: 111.5, usdPerMonth: 34_843.75 },
    { team: "leading", incidents: 2, releases: 8, hours: 51.5, usdPerMonth: 25_000 },
    { team: "app_team", incidents: 10, releases: 4, hours: 163.5, usdPerMonth: 51_093.75 },
  ])(
    "people formula, $team: $hours hours, $usdPerMonth USD a month",
    ({ team, incidents, releases, hours, usdPerMonth }) => {
      const people = catalog.people.get("standard")!;
      const { release, perf_engineering, platform } = catalog.teams.get(team)!.levels;
      const opsHours =
        people.hoursPerIncident * incidents +
        people.releaseHoursByReleaseLevel[release]! * releases +
        people.upgradeHoursByPerfLevel[perf_engineering]! +
        people.nodeHoursPerMonth * 7 +
        people.fixedHoursPerMonth;
      expect(opsHours).toBe(hours);
      const fte = Math.max(
        people.minFteByPlatformLevel[platform]!,
        opsHours / (people.operationalFraction * people.hoursPerFteMonth),
      );
      expect((fte * people.loadedUsdPerYear["us"]!.typical) / 12).toBeCloseTo(usdPerMonth, 6);
    },
  );
});

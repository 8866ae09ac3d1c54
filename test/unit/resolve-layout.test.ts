/** Pools whose replicas span stages and ranks, and formats of weights, from the file to the resolved engine. */
import { describe, expect, test } from "vitest";
import { resolveExperiment } from "../../src/experiment/resolve.ts";
import { WEIGHT_DTYPES } from "../../src/engine/spec.ts";
import type { ResolvedPool } from "../../src/scenario/resolved.ts";
import { buildCatalog } from "../../src/catalog/catalog.ts";
import { catalog, problemsOf, type Raw, resolveRaw, smallExperiment, withValue } from "../fixtures/experiment.ts";

const DEEPSEEK = {
  llm: "deepseek-v3-r1",
  gpu: "h200",
  weightDtype: "fp8",
  gpuPrice: { usdPerGpuHour: 3 },
  replicas: 1,
};
const poolPath = ["strategies", "own", "pools", "gpus"];

function raw(pool: Raw): Raw {
  return withValue(smallExperiment(), poolPath, pool);
}

function poolOf(pool: Raw): ResolvedPool {
  return resolveRaw(raw(pool)).experiment.strategies[1]!.pools[0]!;
}

describe("layouts", () => {
  test("stages share memory: Llama-3.1-70B in BF16 fits on two H100 in a row, not on one", () => {
    const llama = { ...DEEPSEEK, llm: "llama-3.1-70b", gpu: "h100-sxm", weightDtype: "bf16" };
    expect(problemsOf(raw({ ...llama, pipelineParallelSize: 1 }))[0]!.message).toMatch(
      /does not fit: [\d.]+ GiB are missing/,
    );
    const { engine, outsideValidatedRange } = poolOf({ ...llama, pipelineParallelSize: 4 });
    expect(engine).toMatchObject({ tensorParallelSize: 1, pipelineParallelSize: 4, dataParallelSize: 1 });
    expect(engine.kvBlocks).toBeGreaterThan(poolOf({ ...llama, pipelineParallelSize: 3 }).engine.kvBlocks);
    expect(outsideValidatedRange).toMatch(/pipeline parallelism/);
  });

  test("limits are per rank, as the engine is told; the replica has as many as all ranks", () => {
    const limits = { maxNumSeqs: 100, maxNumBatchedTokens: 4096 };
    const { engine, outsideValidatedRange } = poolOf({
      ...DEEPSEEK,
      ...limits,
      dataParallelSize: 8,
      enableExpertParallel: true,
    });
    expect(engine).toMatchObject({ maxNumSeqs: 800, maxNumBatchedTokens: 32_768, expertParallel: true });
    expect(engine.kvBlocks % 8).toBe(0);
    expect(outsideValidatedRange).toMatch(/data-parallel attention.*expert parallelism/);
    // A request lies in the cache of one rank.
    expect(engine.maxModelLen).toBeLessThanOrEqual((engine.kvBlocks / 8) * engine.blockTokens);
  });

  test("a replica of sixteen GPUs takes two nodes", () => {
    const priced = { ...DEEPSEEK, gpuPrice: "nebius-on-demand", tensorParallelSize: 8, pipelineParallelSize: 2 };
    expect(poolOf(priced).gpusPerNode).toBe(8);
    expect(poolOf({ ...priced, gpuPrice: { usdPerGpuHour: 3 } }).gpusPerNode).toBe(8);
  });

  test("a dense model has nothing to share between ranks, and no more stages than layers", () => {
    const llama = { ...DEEPSEEK, llm: "llama-3.1-8b" };
    const messages = problemsOf(raw({ ...llama, dataParallelSize: 2, enableExpertParallel: true })).map(
      ({ message }) => message,
    );
    expect(messages).toEqual(["llama-3.1-8b has no experts that its ranks could share", "llama-3.1-8b has no experts"]);
  });

  test("the latent cache of MLA is not split by heads: any divisor of the attention heads is allowed", () => {
    expect(poolOf({ ...DEEPSEEK, tensorParallelSize: 8 }).engine.tensorParallelSize).toBe(8);
  });
});

describe("formats", () => {
  test("every format resolves, and fewer bytes leave more KV cache", () => {
    const pool = { ...DEEPSEEK, llm: "llama-3.1-8b" };
    const blocks = WEIGHT_DTYPES.map((weightDtype) => poolOf({ ...pool, weightDtype }).engine.kvBlocks);
    expect(new Set(blocks).size).toBe(WEIGHT_DTYPES.length - 1); // NVFP4 and MXFP4 count the same
    expect(blocks[0]).toBeLessThan(Math.min(...blocks.slice(1)));
    expect(poolOf({ ...pool, weightDtype: "int4" }).outsideValidatedRange).toMatch(/int4/);
  });
});

test("a GPU of six figures runs a pool", () => {
  const gpu = {
    id: "my-gpu",
    source: "its datasheet",
    asOf: "2026-11",
    kind: "published",
    tdpW: 300,
    memoryGB: 48,
    memoryBandwidthGBps: 900,
    bf16DenseTflops: 180,
    fp8DenseTflops: 360,
    linkGBpsPerDirection: 32,
  };
  const mine = buildCatalog(
    [{ kind: "gpus", file: "gpus/my-gpu.yaml", value: gpu, override: true }],
    catalog.asOf,
  ).gpus;
  const withMine = { ...catalog, gpus: new Map([...catalog.gpus, ...mine]) };
  const file = raw({ ...DEEPSEEK, llm: "llama-3.1-8b", gpu: "my-gpu" });
  const pool = resolveExperiment(file, withMine).experiment.strategies[1]!.pools[0]!;
  expect(pool.engine.kvBlocks).toBeGreaterThan(1000);
  expect(pool.outsideValidatedRange).toMatch(/no dense model was fitted on my-gpu/);
});

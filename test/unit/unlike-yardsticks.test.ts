/** Pools whose step times rest on unlike sets or hosts are not compared without a word. */
import { expect, test } from "vitest";
import { unlikeYardsticks } from "../../src/experiment/unlike-yardsticks.ts";
import { withValue } from "../fixtures/experiment.ts";
import { resolveRaw, smallExperiment } from "../fixtures/experiment.ts";

/** Warnings of two strategies with a pool each. */
function told(a: Record<string, unknown>, b: Record<string, unknown>): string[] {
  const pool = { llm: "llama-3.1-8b", gpu: "h100-sxm", gpuPrice: "nebius-on-demand", replicas: 2, engine: "vllm" };
  const raw = smallExperiment();
  const routes = Object.fromEntries(resolveRaw(raw).experiment.classes.map(({ name }) => [name, ["gpus"]]));
  const strategies = {
    a: { pools: { gpus: { ...pool, ...a } }, routes },
    b: { pools: { gpus: { ...pool, ...b } }, routes },
  };
  return unlikeYardsticks(resolveRaw(withValue(raw, ["strategies"], strategies)).experiment.strategies);
}

test("a set of one model beside a wider one, and a host's times beside none", () => {
  expect(told({}, { maxNumSeqs: 128 })).toEqual([]);
  const own = { llm: "qwen3-32b", weightDtype: "fp8", engine: "trtllm" };
  expect(told(own, own)).toEqual([]);
  expect(told({}, own)).toEqual([expect.stringMatching(/^step times of b \(gpus\) come from .*, those of a \(gpus\)/)]);
  const hosts = told({ engine: "vllm-0.19" }, { engine: "vllm" });
  expect(hosts).toEqual([
    expect.stringMatching(/^the profile of vllm 0\.19 in a \(gpus\) holds the times of the host/),
  ]);
  expect(told({ engine: "vllm-0.19" }, { engine: "vllm-0.19", maxNumSeqs: 64 })).toEqual([]);
  expect(told({ engine: "vllm-0.7" }, { engine: "vllm" })).toEqual([
    expect.stringMatching(
      /^vllm 0\.1 to 0\.7 and .* have the same step times: what they differ by is their schedulers/,
    ),
  ]);
  expect(told({ engine: "vllm-0.19" }, { engine: "sglang" }).join()).not.toContain("of hosts");
  // Of another model nobody expects the same.
  const large = { llm: "llama-3.1-70b", weightDtype: "fp8", tensorParallelSize: 4 };
  expect(told({ engine: "vllm-0.7" }, { engine: "vllm", ...large }).join()).not.toContain("same step times");
});

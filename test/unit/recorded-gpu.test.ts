import { expect, test } from "vitest";
import { parseCaseFile } from "../../src/experiment/validate/case.ts";
import { recordedGpu } from "../../src/experiment/validate/recorded-gpu.ts";

function named(source: string, gpu: string) {
  const load = { kind: "open", ratePerS: 1 };
  const one = { id: "a", source, role: "validation", gpu, model: "llama-3.1-8b", weightDtype: "fp8", engine: "vllm" };
  const [parsed] = parseCaseFile("f.json", [{ ...one, load, measured: {} }])!;
  if (!parsed!.ok) throw new Error(parsed!.reason);
  return recordedGpu(parsed!.case);
}

test("the H100 of one sweep is the card that its price and its KV cache say, all others are what their source says", () => {
  const sweep = "pChitral/vllm-cost-meter@3f308c0 data/master_results.csv";
  expect(named(sweep, "h100-sxm")).toMatchObject({ gpu: "h100-nvl", reason: expect.stringMatching(/NVL/) });
  expect(named(sweep, "a100-80gb-pcie")).toEqual({ gpu: "a100-80gb-pcie", reason: null });
  expect(named("somebody else", "h100-sxm")).toEqual({ gpu: "h100-sxm", reason: null });
});

/** Prompts and answers by class: where the file's lengths go, and what is refused. */
import { expect, test } from "vitest";
import { requestSizes } from "../../src/experiment/request-size.ts";
import { problemsOf, resolveRaw, smallExperiment, withValue } from "../fixtures/experiment.ts";

const SHORT = { kind: "constant", tokens: 50 };
const raw = withValue(
  withValue(smallExperiment(), ["classes", 1, "input"], { kind: "constant", tokens: 9000 }),
  ["classes", 0, "output"],
  SHORT,
);

test("a class takes its own lengths, and the traffic's where it has none", () => {
  const { experiment, origins } = resolveRaw(raw);
  const { traffic, classes } = experiment;
  if (traffic.kind !== "synthetic") throw new Error("not synthetic");
  expect(traffic.classLengths).toEqual([
    { input: traffic.input, output: SHORT },
    { input: { kind: "constant", tokens: 9000 }, output: traffic.output },
  ]);
  expect(origins["traffic.classLengths.1.input"]).toBe("file");
  expect(origins["traffic.classLengths.1.output"]).toBe("derived");
  // Four requests in five are of the first class: a prompt of the trace, median 1,020 scaled to its mean, and 50 tokens.
  const sizes = requestSizes(traffic, classes);
  expect(sizes.median).toBeCloseTo(1064, -1);
  expect(sizes.longest).toBe(14_024);
  expect(resolveRaw(smallExperiment()).experiment.traffic).not.toHaveProperty("classLengths");
});

test("a length that can't be is refused at its class, as is one beside a recording", () => {
  const broken = withValue(smallExperiment(), ["classes", 1, "output"], { kind: "lognormal", sigma: 1, maxTokens: 10 });
  expect(problemsOf(broken)).toMatchObject([{ path: ["classes", 1, "output"] }]);
  const replayed = withValue(withValue(smallExperiment(), ["classes", 1, "input"], SHORT), ["traffic"], {
    replay: { file: "trace.parquet" },
  });
  const recording = {
    arrivalS: Float64Array.of(0, 1),
    inputTokens: Uint32Array.of(1, 1),
    outputTokens: Uint32Array.of(1, 1),
  };
  expect(problemsOf(replayed, { recording })).toContainEqual({
    path: ["classes", 1, "input"],
    message: "has no effect in a replay, where lengths are the recorded ones",
  });
});

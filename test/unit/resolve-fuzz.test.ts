/** Whatever stands in the file, the answer is a resolved experiment or a list of problems; never another error. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigError } from "../../src/kernel/errors.ts";
import { LocatedConfigError, YamlSource } from "../../src/node/yaml-source.ts";
import { stringify } from "yaml";
import { catalog, resolveRaw, smallExperiment, withValue, type Path } from "../fixtures/experiment.ts";

function pathsOf(value: unknown, at: Path): Path[] {
  if (typeof value !== "object" || value === null) return [at];
  return [
    ...(at.length > 0 ? [at] : []),
    ...Object.entries(value).flatMap(([key, child]) =>
      pathsOf(child, [...at, Array.isArray(value) ? Number(key) : key]),
    ),
  ];
}

const paths = pathsOf(smallExperiment(), []);
/** Junk, and values that are right elsewhere. */
const values = fc.oneof(
  fc.constantFrom(
    undefined,
    null,
    true,
    "",
    "3s",
    "none",
    "auto",
    0,
    -1,
    0.5,
    1,
    2,
    1e300,
    NaN,
    Infinity,
    [],
    {},
    [[]],
    { kind: "lognormal" },
    { kind: "quantiles" },
    { replay: { file: "x" } },
  ),
  fc.constantFrom(
    ...catalog.gpus.keys(),
    ...catalog.llms.keys(),
    ...catalog.offers.keys(),
    ...catalog.gpuPrices.keys(),
    "gpus",
    "toString",
    "gpt",
  ),
  fc.jsonValue({ maxDepth: 2 }),
);
const changes = fc.array(
  fc.tuple(
    fc.constantFrom(...paths),
    values,
    fc.option(fc.constantFrom("extra", "gpuz", "ttft", "share", "kind", "__proto__", "constructor")),
  ),
  { minLength: 0, maxLength: 4 },
);

/** The problems as they are shown for the file: those of the text itself stand before those of its data. */
function inText(raw: unknown, { problems }: ConfigError): LocatedConfigError {
  try {
    return YamlSource.parse("x.yaml", stringify(raw)).error(problems);
  } catch (error) {
    if (error instanceof LocatedConfigError) return error;
    throw error;
  }
}

test("changed files never break the resolver, and every problem has a place", () => {
  let sound = 0;
  let refused = 0;
  fc.assert(
    fc.property(changes, (list) => {
      let raw = smallExperiment();
      for (const [path, value, extra] of list) raw = withValue(raw, extra === null ? path : [...path, extra], value);
      try {
        const { experiment } = resolveRaw(raw);
        expect(experiment.strategies.length).toBeGreaterThan(0);
        sound++;
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        expect(error.problems.length).toBeGreaterThan(0);
        for (const { line = 0, column = 0, message } of inText(raw, error).located)
          expect([line > 0, column > 0, message.length > 3]).toEqual([true, true, true]);
        refused++;
      }
    }),
    { numRuns: 400, seed: 7 },
  );
  // A run in which nothing was accepted, or nothing refused, would have tested nothing.
  expect(sound).toBeGreaterThan(10);
  expect(refused).toBeGreaterThan(100);
});

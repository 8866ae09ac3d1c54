import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { readExperiment, related, type FieldSchema } from "../../src/experiment/read.ts";
import { experimentJsonSchema } from "../../src/experiment/schema.ts";
import { smallExperiment, withValue, type Path } from "../fixtures/experiment.ts";

function messages(path: Path, value: unknown): string[] {
  return readExperiment(withValue(smallExperiment(), path, value)).problems.map(
    ({ path: at, message, hint }) => `${at.join(".")}: ${message}${hint === undefined ? "" : ` | ${hint}`}`,
  );
}

test("the small experiment is sound, and defaults are filled in by the schema", () => {
  const { experiment, problems } = readExperiment(smallExperiment());
  expect(problems).toEqual([]);
  expect(experiment!.classes[0]).toMatchObject({
    sensitivity: "none",
    timeoutS: 600,
    slo: { target: 0.99, strict: false },
  });
  expect(experiment!.decision).toMatchObject({ marginFraction: 0.1, softPremium: 1.25 });
});

describe("a value in the wrong unit gets the right one", () => {
  test.each([
    [
      ["classes", 0, "slo", "ttftMs"],
      "3s",
      /expected a number \(milliseconds\), got "3s" \| the field is in milliseconds: write 3000$/,
    ],
    [["classes", 0, "slo", "ttftMs"], "250 ms", /write 250$/],
    [["classes", 0, "timeoutS"], "2 min", /the field is in seconds: write 120$/],
    [["warmupMinutes"], "1h", /the field is in minutes: write 60$/],
    [["days"], "12h", /the field is in days: write 0.5$/],
    [["traffic", "requestsPerS"], "1.5k", /write a plain number: 1500$/],
    [["traffic", "growthPerMonth"], "5%", /write it as a fraction: 0.05$/],
    [["strategies", "own", "pools", "gpus", "maxModelLen"], "32k", /write a plain number: 32000$/],
    [
      ["strategies", "own", "pools", "gpus", "gpuPrice"],
      { usdPerGpuHour: "2.95 USD" },
      /the field is in USD per GPU and hour: write a plain number$/,
    ],
  ])("%j = %j", (path, value, expected) => {
    expect(messages(path, value)).toEqual([expect.stringMatching(expected)]);
  });
});

describe("an unknown field gets the nearest name", () => {
  test.each([
    [["titel"], "x", "titel: unknown field | did you mean title?"],
    [
      ["classes", 0, "slo", "ttft"],
      3,
      "classes.0.slo.ttft: unknown field | units are part of the name: write ttftMs, in milliseconds",
    ],
    [
      ["classes", 0, "slo", "ttftS"],
      3,
      "classes.0.slo.ttftS: unknown field | units are part of the name: write ttftMs, in milliseconds",
    ],
    [["classes", 0, "slo", "ttft_ms"], 3, /write ttftMs|did you mean ttftMs/],
    [["strategies", "own", "pools", "gpus", "tensorParalelSize"], 2, /did you mean tensorParallelSize\?/],
    [["growthPerMonth"], 0.1, "growthPerMonth: unknown field | growthPerMonth belongs under traffic"],
    [
      ["strategies", "both", "offers", "gpt", "latency"],
      { ttftBase: 1 },
      /latency\.ttftBase: unknown field \| units are part of the name: write ttftBaseS, in seconds/,
    ],
    [
      ["traffic", "input"],
      { kind: "lognormal", tokens: 3, sigma: 1, meanTokens: 5, maxTokens: 9 },
      /traffic\.input\.tokens: unknown field/,
    ],
    [["zzzzzz"], 1, /zzzzzz: unknown field \| known here: id, title/],
  ])("%j", (path, value, expected) => {
    const found = messages(path, value);
    expect(found).toHaveLength(1);
    if (typeof expected === "string") expect(found[0]).toBe(expected);
    else expect(found[0]).toMatch(expected);
  });

  test("a misspelt required field is one problem, not two", () => {
    const raw = withValue(withValue(smallExperiment(), ["question"], undefined), ["qestion"], "Which?");
    const { experiment, problems } = readExperiment(raw);
    expect(problems.map(({ path, message }) => [path, message])).toEqual([[["qestion"], "unknown field"]]);
    expect(experiment?.question).toBe("Which?");
  });
});

describe("values out of range or of the wrong kind", () => {
  test.each([
    [["classes", 0, "share"], 0, "expected a number above 0, got 0"],
    [["classes", 0, "share"], 1.5, "expected at most 1, got 1.5"],
    [["classes"], [], "expected at least 1 entry, got []"],
    [["classes"], { open: 1 }, "expected a list"],
    [["classes", 0, "sensitivity"], "secret", "expected one of none, moderate, restricted"],
    [["classes", 0, "name"], "Two Words", "expected lower-case letters"],
    [["start"], "2026-02-30", "expected a date"],
    [["start"], "2026-11-02T00:00:00+01:00", "expected a date"],
    [["asOf"], "2026-11-24T00:00:00Z", "expected a date such as 2026-11-24"],
    [["strategies", "own", "pools", "gpus", "replicas"], "many", "expected"],
    [["strategies", "own", "pools", "gpus", "replicas"], 0, "expected at least 1, got 0"],
    [["strategies", "own", "pools", "gpus", "replicas"], 1.5, "expected"],
    [["strategies", "own", "pools", "gpus", "tensorParallelSize"], 16, "expected at most 8, got 16"],
    [["strategies", "own", "pools", "gpus", "gpu"], undefined, "is missing"],
    [["strategies", "own", "pools", "gpus", "gpuPrice"], 2.95, "expected text or a group of fields, got 2.95"],
    [["traffic", "input"], { kind: "normal" }, "expected one of constant, lognormal, quantiles"],
    [["days"], Number.POSITIVE_INFINITY, "expected"],
    [["days"], Number.NaN, "expected"],
    [["team"], null, "has no value"],
    [["title"], undefined, "is missing"],
  ])("%j = %j", (path, value, expected) => {
    const found = messages(path, value);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });
});

test.each([[null], ["text"], [[1, 2]], [3]])("a file that is no experiment at all: %j", (raw) => {
  const { experiment, problems } = readExperiment(raw);
  expect(experiment).toBeNull();
  expect(problems).toHaveLength(1);
});

test("what is wrong is put aside, so that the rest can be looked at", () => {
  const raw = withValue(withValue(smallExperiment(), ["days"], "3d"), ["id"], undefined);
  const { experiment, problems } = readExperiment(raw);
  expect(problems).toHaveLength(2);
  expect(experiment?.strategies).toHaveProperty("own");
});

test("paths are related when one lies on the other", () => {
  expect(related(["a"], ["a", 0, "b"])).toBe(true);
  expect(related(["a", 0, "b"], ["a"])).toBe(true);
  expect(related(["a", 1], ["a", 0])).toBe(false);
});

describe("JSON Schema", () => {
  const root = experimentJsonSchema() as unknown as FieldSchema & { additionalProperties: boolean };

  /** Every named field of the schema, with the schema that describes it. */
  function fields(schema: FieldSchema, at: string): [string, FieldSchema][] {
    const options = schema.anyOf ?? schema.oneOf ?? [];
    const own = Object.entries(schema.properties ?? {}).flatMap(([name, child]): [string, FieldSchema][] => [
      [`${at}.${name}`, child],
      ...fields(child, `${at}.${name}`),
    ]);
    const named = typeof schema.additionalProperties === "object" ? fields(schema.additionalProperties, `${at}.*`) : [];
    return [
      ...own,
      ...named,
      ...(schema.items === undefined ? [] : fields(schema.items, `${at}[]`)),
      ...options.flatMap((one) => fields(one, at)),
    ];
  }

  const described = fields(root, "");

  test("every number and every choice says what it means", () => {
    const silent = described.filter(([, schema]) => {
      const type = (schema as { type?: unknown }).type;
      return (type === "number" || type === "integer") && schema.description === undefined;
    });
    // The six team levels are explained by the group they stand in.
    expect(silent.map(([path]) => path).filter((path) => !path.startsWith(".team.levels."))).toEqual([]);
  });

  test("defaults that nobody measured carry unit and reason", () => {
    const assumed = described.filter(([, schema]) => schema.kind === "assumed");
    expect(assumed.length).toBeGreaterThan(4);
    for (const [path, { unit, source }] of assumed)
      expect([path, typeof unit, typeof source]).toEqual([path, "string", "string"]);
  });

  test("unknown fields are refused by editors too", () => {
    expect(root.additionalProperties).toBe(false);
  });
});

test.each(readdirSync("experiments").filter((name) => name.endsWith(".yaml")))(
  "shipped %s has the form of the schema",
  (name) => {
    const raw: unknown = parse(readFileSync(`experiments/${name}`, "utf8"), { merge: true });
    expect(readExperiment(raw).problems).toEqual([]);
  },
);

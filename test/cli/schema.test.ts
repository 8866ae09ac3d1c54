import { expect, test } from "vitest";
import { crossover } from "./crossover.ts";

test("prints a JSON Schema that editors can use", () => {
  const { code, stdout, stderr } = crossover(["schema"]);
  expect([code, stderr]).toEqual([0, ""]);
  const schema = JSON.parse(stdout) as {
    $schema: string;
    required: string[];
    properties: Record<string, { description?: string; default?: unknown }>;
  };
  expect(schema.$schema).toContain("json-schema.org");
  // Fields with a default need not be written.
  expect(schema.required.sort()).toEqual(["classes", "id", "question", "start", "strategies", "title", "traffic"]);
  expect(schema.properties["warmupMinutes"]).toMatchObject({
    default: 30,
    description: expect.stringContaining("before the start"),
  });
});

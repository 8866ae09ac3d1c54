/** What the build parsed is what the YAML says, value for value; an edited file is parsed anew. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { isYaml, MODELS_DIRECTORY, sha256 } from "../../src/node/catalog-files.ts";
import { parsedByBuild } from "../../src/node/parsed-models.ts";

const names = readdirSync(MODELS_DIRECTORY, { recursive: true, encoding: "utf8" }).filter(isYaml);

test("every shipped file", () => {
  expect(names.length).toBeGreaterThan(200);
  for (const name of names) {
    const text = readFileSync(join(MODELS_DIRECTORY, name), "utf8");
    expect(parsedByBuild(sha256(text)), name).toStrictEqual(parse(text));
    expect(parsedByBuild(sha256(`${text}\n`)), name).toBeUndefined();
  }
});

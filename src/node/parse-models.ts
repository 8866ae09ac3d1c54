/** A step of the build: parses the YAML of `models/` for `parsed-models.ts`. */
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { isYaml, MODELS_DIRECTORY, sha256 } from "./catalog-files.ts";
import { PARSED_MODELS } from "./parsed-models.ts";

const texts = readdirSync(MODELS_DIRECTORY, { recursive: true, encoding: "utf8" })
  .filter(isYaml)
  .sort()
  .map((name) => readFileSync(join(MODELS_DIRECTORY, name), "utf8"));
const byHash = Object.fromEntries(texts.map((text) => [sha256(text), parse(text) as unknown]));
// Whoever reads it meanwhile sees the old one or the new one.
const written = `${PARSED_MODELS}.${process.pid}`;
writeFileSync(written, JSON.stringify(byHash));
renameSync(written, PARSED_MODELS);

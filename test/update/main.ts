/**
 * `npm run catalog:update`: writes the price lists of the catalogue, `models/offers/*.json`, from the installed version of
 * `@pydantic/genai-prices` and `models/price-overlay.yaml`. Twice gives the same bytes.
 *
 * A new version: install it (`npm install --save-dev --save-exact @pydantic/genai-prices@…`), write its number and its day of
 * publication into the overlay, run this, read the differences, and name what moved in the commit.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { findProvider } from "@pydantic/genai-prices";
import { readOverlay } from "./overlay.ts";
import { priceLists, type PriceList } from "./price-lists.ts";

/** Those with text models priced by the token. The source has more, mostly without. */
const PROVIDERS = [
  "anthropic",
  "aws",
  "azure",
  "cerebras",
  "cohere",
  "deepseek",
  "fireworks",
  "google",
  "groq",
  "minimax",
  "mistral",
  "modal",
  "moonshotai",
  "novita",
  "openai",
  "ovhcloud",
  "perplexity",
  "together",
  "x-ai",
  "zhipuai",
];

export const OVERLAY_FILE = new URL("../../models/price-overlay.yaml", import.meta.url);

/** The lists by the name of their file within `models/offers/`, as text: an offer is a line. */
export function priceFiles(): Record<string, string> {
  const overlay = readOverlay(OVERLAY_FILE);
  const providers = PROVIDERS.map((providerId) => findProvider({ providerId })!);
  return Object.fromEntries(priceLists(providers, overlay).map((list) => [`${list.provider}.json`, textOf(list)]));
}

function textOf({ offers, ...head }: PriceList): string {
  const about = "Written by `npm run catalog:update`. What is wrong or missing here belongs into price-overlay.yaml.";
  const lines = Object.entries({ about, ...head }).map(
    ([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`,
  );
  const rows = offers.map((offer) => JSON.stringify(offer)).join(",\n");
  return `{\n${lines.join(",\n")},\n"offers": [\n${rows}\n]\n}\n`;
}

function checkVersion(): void {
  const { package: name, version } = readOverlay(OVERLAY_FILE).priceSource;
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  const installed = (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
  if (installed !== version)
    throw new Error(`${name} ${installed} is installed, price-overlay.yaml names ${version}: give it number and date`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  checkVersion();
  for (const [name, text] of Object.entries(priceFiles())) {
    const file = new URL(`../../models/offers/${name}`, import.meta.url);
    writeFileSync(file, text);
    process.stdout.write(`models/offers/${name}: ${text.split('\n{"id"').length - 1} offers\n`);
  }
}

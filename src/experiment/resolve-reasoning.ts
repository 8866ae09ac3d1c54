/** How much the model thinks for a class: an effort of the catalogue, a law of the file, or the share that a preset recorded. */
import { find } from "../catalog/catalog.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { ReasoningLaw } from "../scenario/resolved.ts";
import { MAX_THINKING_TOKENS } from "./schema-reasoning.ts";
import type { ClassFile, ExperimentFile } from "./schema.ts";

/** Undefined for a class that does not think, and after a problem. */
export function resolveReasoning(
  resolution: Resolution,
  file: ClassFile["reasoning"],
  traffic: ExperimentFile["traffic"],
  path: Path,
  at: string,
): ReasoningLaw | undefined {
  if (file === "none") return undefined;
  if (typeof file !== "string") {
    resolution.from(at, "file");
    return { kind: "added", ...file };
  }
  if (file === "share") {
    const named = traffic.preset === undefined ? null : find(resolution.catalog, "traffic", traffic.preset);
    const preset = named?.ok === true ? named.value : undefined;
    if (preset?.reasoningShare === undefined) {
      const known = [...resolution.catalog.traffic.values()].flatMap((one) =>
        one.reasoningShare === undefined ? [] : [one.id],
      );
      resolution.problem(
        path,
        "the traffic has no preset that says which share of its output is thinking",
        `presets that do: ${known.join(", ")}; or give an effort or medianTokens and sigma`,
      );
      return undefined;
    }
    resolution.from(at, `preset:${preset.id}`);
    resolution.useEntry("traffic", preset, ["reasoningShare"]);
    return { kind: "share", ...preset.reasoningShare };
  }
  const entry = resolution.find("reasoning", file, path);
  if (entry === null) return undefined;
  resolution.from(at, `catalogue:reasoning/${entry.id}`);
  resolution.useEntry("reasoning", entry, ["medianTokens", "sigma"]);
  return { kind: "added", medianTokens: entry.medianTokens, sigma: entry.sigma, maxTokens: MAX_THINKING_TOKENS };
}

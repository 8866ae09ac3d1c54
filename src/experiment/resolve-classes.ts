/** Request classes: shares, boundary needs, service objectives. Milliseconds of the file become seconds here. */
import { levelNeeded, placesAllowed } from "./resolve-boundary.ts";
import type { Resolution } from "./resolution.ts";
import type { RequestClass } from "../scenario/resolved.ts";
import { resolveReasoning } from "./resolve-reasoning.ts";
import type { ClassFile, ExperimentFile } from "./schema.ts";

const SHARE_TOLERANCE = 1e-6;

export function resolveClasses(
  resolution: Resolution,
  files: readonly ClassFile[],
  traffic: ExperimentFile["traffic"],
): RequestClass[] {
  const total = files.reduce((sum, file) => sum + file.share, 0);
  const sharesKnown = files.every((_, i) => !resolution.reported(["classes", i, "share"]));
  if (sharesKnown && Math.abs(total - 1) > SHARE_TOLERANCE) {
    const shares = files.map((file) => file.share).join(" + ");
    resolution.problem(
      ["classes", files.length - 1, "share"],
      `the shares must sum to 1: ${shares} = ${Number(total.toPrecision(6))}`,
    );
  }
  return files.map((file, i) => {
    const path = ["classes", i];
    if (files.findIndex((other) => other.name === file.name) < i) {
      resolution.problem([...path, "name"], `there are two classes named ${file.name}`);
    }
    const reasoningPath = [...path, "reasoning"];
    const reasoning = resolveReasoning(resolution, file.reasoning, traffic, reasoningPath, `classes.${i}.reasoning`);
    const resolved = resolveClass(resolution, file, path, `classes.${i}`);
    return reasoning === undefined ? resolved : { ...resolved, reasoning };
  });
}

function resolveClass(
  resolution: Resolution,
  file: ClassFile,
  path: readonly (string | number)[],
  at: string,
): RequestClass {
  const minLevel = levelNeeded(file);
  const { slo } = file;
  for (const field of [
    "sensitivity",
    "redactable",
    "quality",
    "premiumPrivatelyOffered",
    "customization",
    "timeoutS",
    "priority",
    "sharedPrefix",
    ...(file.repeats === undefined ? [] : ["repeats"]),
  ]) {
    resolution.fromFile(`${at}.${field}`, [...path, field]);
  }
  resolution.from(`${at}.name`, "file");
  resolution.from(`${at}.shareFraction`, "file");
  resolution.fromFile(`${at}.minLevel`, [...path, "minLevel"], "derived");
  resolution.fromFile(`${at}.allowedPlaces`, [...path, "allowedPlaces"], "derived");
  for (const [field, of] of [
    ["ttftS", "ttftMs"],
    ["tpotS", "tpotMs"],
    ["e2eS", "e2eMs"],
    ["targetFraction", "target"],
    ["strict", "strict"],
  ]) {
    resolution.fromFile(`${at}.slo.${field}`, [...path, "slo", of!]);
  }
  resolution.fromFile(`${at}.slo.attainBasis`, [...path, "slo", "basis"], "derived");
  if (!resolution.declared([...path, "minLevel"])) {
    resolution.assume({
      id: `boundary/${file.sensitivity}/minLevel`,
      label: `boundary level that ${file.redactable ? "redactable " : ""}content of sensitivity ${file.sensitivity} needs`,
      value: minLevel,
      unit: "level",
      kind: "assumed",
      source: "scale 0 public API to 7 air-gapped: regional processing for moderate, own VPC or closer for restricted",
      asOf: resolution.catalog.asOf,
    });
  }
  return {
    name: file.name,
    shareFraction: file.share,
    sensitivity: file.sensitivity,
    redactable: file.redactable,
    minLevel,
    allowedPlaces: placesAllowed(file, minLevel, resolution.catalog.places.values()),
    quality: file.quality,
    premiumPrivatelyOffered: file.premiumPrivatelyOffered,
    customization: file.customization,
    slo: {
      ttftS: seconds(slo.ttftMs),
      tpotS: seconds(slo.tpotMs),
      e2eS: seconds(slo.e2eMs),
      targetFraction: slo.target,
      strict: slo.strict,
      attainBasis: slo.basis ?? (slo.strict ? "windows" : "requests"),
    },
    timeoutS: file.timeoutS,
    priority: file.priority,
    sharedPrefix: file.sharedPrefix ?? null,
    ...(file.repeats === undefined ? {} : { repeats: file.repeats }),
  };
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}

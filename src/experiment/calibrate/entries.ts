/**
 * A calibration as entries of the catalogue: the engine profile with its fitted constants, and the coefficient files with a
 * set for this GPU, engine, model and dtype. Both keep everything else of the entry they start from. An entry of the
 * user's directory replaces the shipped one as a whole, so the coefficient files repeat the shipped sets.
 */
import type { Catalog, CatalogEntry } from "../../catalog/schema.ts";
import type { Calibration } from "./calibrate.ts";
import type { Target } from "./target.ts";

/** One file to write, as plain data. */
export interface CalibratedEntry {
  readonly kind: "engines" | "coefficients";
  readonly id: string;
  /** The file of the user's directory that it replaces; null when it has none. */
  readonly replaces: string | null;
  /** Whether that file was written by a calibration. */
  readonly replacesCalibration: boolean;
  /** Whose calibrated values it takes the place of, for people; null = nobody else's. */
  readonly changed: string | null;
  readonly value: Readonly<Record<string, unknown>>;
}

/** How the source of a written value begins: how a later calibration knows its own files. */
const WRITTEN_BY = "crossover calibrate:";

/** `catalog`: with the user's own entries. `asOf`: the day, as YYYY-MM-DD. */
export function calibratedEntries(
  calibration: Calibration,
  target: Target,
  catalog: Catalog,
  asOf: string,
): readonly CalibratedEntry[] {
  const origin = { source: sourceOf(calibration), asOf, kind: "fitted" };
  const profile = catalog.engines.get(target.profile.id) ?? target.profile;
  const sets = [...catalog.coefficients.values()].filter((entry) => entry.modelClass === target.llmClass);
  return [
    entryOf("engines", profile, profileValue(calibration, target, profile, origin), [
      "apiOverheadMs",
      `tpreMsPerLayer.${target.llmClass}`,
    ]),
    ...sets.map((entry) => {
      const { at, value } = coefficientsValue(calibration, target, entry, origin);
      return entryOf("coefficients", entry, value, [`sets.${at}`]);
    }),
  ];
}

/** What a source of ours says was calibrated; null for others. */
function subjectOf(source: string): string | null {
  return source.startsWith(WRITTEN_BY) ? source.slice(WRITTEN_BY.length + 1).split(", from ")[0]! : null;
}

type Origin = { readonly source: string; readonly asOf: string; readonly kind: string };

function sourceOf({ runs, target }: Calibration): string {
  const files = runs
    .map(({ id, format, requests }) => `${id.slice(id.lastIndexOf("/") + 1)} (${format}, ${requests} requests)`)
    .join(", ");
  return `${WRITTEN_BY} ${target.model} ${target.weightDtype} on ${target.tensorParallelSize} × ${target.gpu}, ${target.engine} ${target.engineVersion}, from ${files}`;
}

function entryOf<K extends "engines" | "coefficients">(
  kind: K,
  before: CatalogEntry<K>,
  value: Readonly<Record<string, unknown>>,
  fitted: readonly string[],
): CalibratedEntry {
  const now = value["fields"] as NonNullable<typeof before.fields>;
  const subjects = fitted.map((path) => subjectOf(before.fields?.[path]?.source ?? ""));
  const others = [...new Set(subjects)].filter((one) => one !== null && one !== subjectOf(now[fitted[0]!]!.source));
  const written = [before.source, ...Object.values(before.fields ?? {}).map(({ source }) => source)];
  return {
    kind,
    id: before.id,
    replaces: before.override ? before.file : null,
    replacesCalibration: before.override && written.some((source) => subjectOf(source) !== null),
    changed:
      others.length === 0 ? null : `its fitted values were those of ${others.join(" and ")}, which takes these now`,
    value,
  };
}

function valuesOf(
  calibration: Calibration,
  home: "profile" | "set",
  of: "estimate" | "standardError",
): Record<string, number> {
  return Object.fromEntries(
    calibration.parameters.filter((one) => one.home === home).map((one) => [one.name, rounded(one[of])]),
  );
}

/** Five significant digits: more than any fit knows. */
function rounded(value: number): number {
  return Number(value.toPrecision(5));
}

/** The constants get the calibration as their origin; what was not fitted keeps its own. */
function profileValue(
  calibration: Calibration,
  target: Target,
  profile: CatalogEntry<"engines">,
  origin: Origin,
): Record<string, unknown> {
  const { tpreMsPerLayer, ...others } = valuesOf(calibration, "profile", "estimate");
  const { tpreMsPerLayer: tpreError, ...otherErrors } = valuesOf(calibration, "profile", "standardError");
  const fields = { ...profile.fields, apiOverheadMs: origin, [`tpreMsPerLayer.${target.llmClass}`]: origin };
  return {
    ...plain(profile),
    note: `Calibrated for ${target.llm.id} ${target.weightDtype} on ${target.gpu.id}; times of the ${target.clock}.`,
    fields,
    engineVersion: target.engineVersion,
    ...others,
    tpreMsPerLayer: { ...profile.tpreMsPerLayer, [target.llmClass]: tpreMsPerLayer },
    standardErrors: {
      ...profile.standardErrors,
      ...otherErrors,
      tpreMsPerLayer: { ...profile.standardErrors?.tpreMsPerLayer, [target.llmClass]: tpreError },
    },
  };
}

function coefficientsValue(
  calibration: Calibration,
  target: Target,
  entry: CatalogEntry<"coefficients">,
  origin: Origin,
): { readonly at: number; readonly value: Record<string, unknown> } {
  const scope = {
    scope: "gpu+engine+model+dtype",
    gpu: target.gpu.id,
    engine: target.profile.engine,
    llm: target.llm.architectureOf ?? target.llm.id,
    weightDtype: target.weightDtype,
  } as const;
  const isSame = (set: CatalogEntry<"coefficients">["sets"][number]): boolean =>
    Object.entries(scope).every(([key, value]) => set[key as keyof typeof scope] === value);
  const found = entry.sets.findIndex(isSame);
  const at = found < 0 ? entry.sets.length : found;
  const { scope: _, ...prior } = target.coefficients;
  const errors = calibration.fitted.after.tpot;
  const heldOut = calibration.heldOut?.after.tpot;
  const set = {
    ...scope,
    fittedRows: Math.max(1, errors?.n ?? 1),
    fitMapePercent: rounded((errors?.mape ?? 0) * 100),
    fitMedianPercent: rounded((errors?.medianAbs ?? 0) * 100),
    validationRows: heldOut?.n ?? 0,
    validationMapePercent: heldOut === undefined ? null : rounded(heldOut.mape * 100),
    validationMedianPercent: heldOut === undefined ? null : rounded(heldOut.medianAbs * 100),
    values: { ...prior, ...valuesOf(calibration, "set", "estimate") },
    standardErrors: valuesOf(calibration, "set", "standardError"),
  };
  return {
    at,
    value: {
      ...plain(entry),
      fields: { ...entry.fields, [`sets.${at}`]: origin },
      sets: [...entry.sets.slice(0, at), set, ...entry.sets.slice(at + 1)],
    },
  };
}

/** An entry without what the reader added to it. */
function plain(entry: { readonly file: string; readonly override: boolean }): Record<string, unknown> {
  const { file: _, override: __, ...value } = entry;
  return value;
}

/**
 * T0: which options are open to a segment at all. Only declared facts count; cost is never looked at. Each removal names
 * the constraints it needs, so that a conflict can say which of them clash.
 */
import { mustGaps } from "./inputs.ts";
import type { BaseOption, Place, SegmentDeclared } from "./inputs.ts";
import { isOrAre, list, optionName, placesName, capitalize } from "./wording.ts";

/** One reason why an option is closed. It falls as soon as one of its `constraints` is relaxed. */
export interface Removal {
  readonly option: BaseOption;
  /** sensitivity, boundary-place, quality, must:<name>. */
  readonly constraints: readonly string[];
  readonly reason: string;
}

/** Raw data may not leave the boundary: restricted, or moderate and not to be redacted. */
export function binds(segment: SegmentDeclared): boolean {
  return segment.sensitivity === "restricted" || (segment.sensitivity === "moderate" && !segment.redactable);
}

/** Every removal that holds for the segment, in the order of the options and then of the constraints. */
export function removals(segment: SegmentDeclared): readonly Removal[] {
  const found: Removal[] = [];
  const allows = (...places: Place[]) => places.some((place) => segment.boundaryAllows.includes(place));
  const boundary = ["sensitivity", "boundary-place"];
  const nowhere = `its data may be processed in ${placesName(segment.boundaryAllows)} only`;

  if (binds(segment)) {
    const reason =
      segment.sensitivity === "restricted"
        ? "its data is restricted and may not leave the boundary"
        : "its data is moderately sensitive, cannot be redacted and may not leave the boundary";
    found.push({ option: "api", constraints: ["sensitivity"], reason });
  }
  for (const name of mustGaps(segment)) {
    found.push({ option: "api", constraints: [`must:${name}`], reason: `the API does not offer ${name} (a must)` });
  }

  if (binds(segment) && !allows("private_vpc", "dedicated_managed")) {
    found.push({ option: "private_managed", constraints: boundary, reason: nowhere });
  }
  if (segment.quality === "premium_api_only" && !segment.premiumPrivatelyOffered) {
    const reason = "it needs a premium model that is not sold as a private deployment";
    found.push({ option: "private_managed", constraints: ["quality"], reason });
  }
  for (const need of segment.customization) {
    if (need.need !== "must" || need.privateSupports) continue;
    const reason = `a vendor-run deployment does not offer ${need.name} (a must)`;
    found.push({ option: "private_managed", constraints: [`must:${need.name}`], reason });
  }

  if (binds(segment) && !allows("private_vpc", "onprem")) {
    found.push({ option: "self", constraints: boundary, reason: nowhere });
  }
  if (segment.quality === "premium_api_only") {
    const reason = "it needs a premium model that no open model matches";
    found.push({ option: "self", constraints: ["quality"], reason });
  }

  for (const option of ["api", "private_managed", "self"] as const) {
    const reason = segment.barred[option];
    if (reason === undefined || found.some((removal) => removal.option === option)) continue;
    found.push({ option, constraints: ["boundary-place"], reason });
  }
  return found;
}

/** Statement of T0 for one option. */
export function filterStatement(segment: SegmentDeclared, option: BaseOption, removed: readonly Removal[]): string {
  const subject = `${capitalize(optionName(option))} ${isOrAre(option)}`;
  if (removed.length === 0) return `${subject} open to "${segment.id}": no declared constraint is in the way.`;
  return `${subject} closed to "${segment.id}": ${removalReasons(removed)}.`;
}

export function removalReasons(removed: readonly Removal[]): string {
  return list([...new Set(removed.map((removal) => removal.reason))]);
}

/** Statement of T0 for the split, which needs the API and a controlled option. */
export function splitStatement(segment: SegmentDeclared, open: readonly BaseOption[]): string {
  if (splitIsOpen(open)) return `A split is open to "${segment.id}": the API and controlled capacity both are.`;
  return `A split is closed to "${segment.id}": it needs both the API and controlled capacity.`;
}

export function splitIsOpen(open: readonly BaseOption[]): boolean {
  return open.includes("api") && open.length > 1;
}

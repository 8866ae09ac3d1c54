/**
 * Which targets a class may use (INV-13). A class needs a boundary level: none 0, moderate 2, restricted 5, unless it
 * sets one; redacted moderate content is no longer sensitive and needs none. A place that the class names suffices
 * whatever its level, and then only named places will do. Levels: 0 public API … 5 own VPC, 6 on-premises, 7 air-gapped.
 */
import type { RequestClass, Sensitivity } from "../scenario/resolved.ts";
import type { ClassFile } from "./schema.ts";

const LEVEL_NEEDED: Readonly<Record<Sensitivity, number>> = { none: 0, moderate: 2, restricted: 5 };

/**
 * Level that content of this class needs as it is, where redaction lowers what it needs: a class that sets its own minimum, or
 * is not redactable, has that minimum in any case, and null stands for it.
 */
export function levelUnredacted(file: ClassFile): number | null {
  const lowered = file.minLevel === undefined && file.sensitivity === "moderate" && file.redactable;
  return lowered ? LEVEL_NEEDED.moderate : null;
}

/** What the boundary rules look at in a pool or an offer. */
export interface BoundaryTarget {
  readonly name: string;
  readonly kind: "pool" | "offer";
  readonly level: number;
  /** Null: an API offer shared with others, which stands in no place of ours. */
  readonly place: string | null;
  readonly residency: string;
}

export function levelNeeded(file: ClassFile): number {
  if (file.minLevel !== undefined) return file.minLevel;
  return file.sensitivity === "moderate" && file.redactable ? 0 : LEVEL_NEEDED[file.sensitivity];
}

/**
 * Why `target` may not take requests of this class, one plain sentence, or null. `file` is what the class says in the
 * experiment file, since a place or region that it does not name is no restriction.
 */
export function refusal(file: ClassFile, minLevel: number, target: BoundaryTarget): string | null {
  if (file.residency !== undefined && !file.residency.includes(target.residency)) {
    return `${target.name} processes in ${target.residency}, class ${file.name} must stay in ${file.residency.join(" or ")}`;
  }
  if (target.place !== null && file.allowedPlaces !== undefined) {
    if (file.allowedPlaces.some((place) => place === target.place)) return null;
    return `${target.name} stands in ${target.place}, class ${file.name} allows only ${file.allowedPlaces.join(", ")}`;
  }
  if (target.level >= minLevel) return null;
  return `${target.name} is at boundary level ${target.level}, class ${file.name} needs level ${minLevel} or higher`;
}

/** Places that may process the class: those it names, else those whose own level suffices. */
export function placesAllowed(
  file: ClassFile,
  minLevel: number,
  places: Iterable<{ readonly id: string; readonly boundaryLevel: number }>,
): RequestClass["allowedPlaces"] {
  if (file.allowedPlaces !== undefined) return file.allowedPlaces;
  return [...places].filter((place) => place.boundaryLevel >= minLevel).map((place) => place.id);
}

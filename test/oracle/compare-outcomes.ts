/**
 * Compares what a leaping engine and a naive stepper made of one scenario. Times and integrals agree within 1e-9
 * relative, counts exactly. Same fate at the same time for every request means the same order of events beyond that
 * tolerance, with ties as sets.
 */
import { lowerEdge, SKETCH_BUCKETS, type Sketch } from "../../src/kernel/sketch.ts";
import type { EngineOutcome } from "./replica-driver.ts";
import type { NaiveOutcome } from "./naive-stepper.ts";
import type { Integrals, ReplicaOutcome, Scenario } from "./scenario.ts";

const TOLERANCE = 1e-9;

function near(a: number, b: number): boolean {
  return (Number.isNaN(a) && Number.isNaN(b)) || Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b));
}

type Differ = (what: string, ours: unknown, theirs: unknown) => void;

/** Every difference found between the engine and a naive stepper, in words; empty when they agree. */
export function differences(scenario: Scenario, engine: EngineOutcome, naive: NaiveOutcome): string[] {
  const found: string[] = [];
  const differ = writer(found, "engine", "naive");
  compareLives(engine, naive, differ);
  if (engine.freeKvBlocksAtEnd !== scenario.spec.kvBlocks)
    differ("free KV blocks at the end", engine.freeKvBlocksAtEnd, scenario.spec.kvBlocks);
  if (engine.inFlightAtEnd !== 0) differ("in flight at the end", engine.inFlightAtEnd, 0);
  naive.gapsS.forEach((gapsS, c) => compareGaps(engine.gapsS[c]!, gapsS, naive.tiedGaps[c]!, differ));
  return found;
}

/** The same between two engines. Gaps by number and sum only: rounding may put one on either side of a bucket's edge. */
export function differencesOfEngines(ours: EngineOutcome, theirs: EngineOutcome): string[] {
  const found: string[] = [];
  const differ = writer(found, "one", "other");
  compareLives(ours, theirs, differ);
  ours.gapsS.forEach((sketch, c) => {
    const other = theirs.gapsS[c]!;
    if (sketch.samples() !== other.samples()) differ("token gaps", sketch.samples(), other.samples());
    if (!near(sketch.sum, other.sum)) differ("sum of token gaps", sketch.sum, other.sum);
  });
  return found;
}

function writer(found: string[], one: string, other: string): Differ {
  return (what, ours, theirs) => void found.push(`${what}: ${one} ${String(ours)}, ${other} ${String(theirs)}`);
}

function compareLives(one: ReplicaOutcome, other: ReplicaOutcome, differ: Differ): void {
  other.fates.forEach((theirs, index) => {
    const ours = one.fates[index];
    if (ours === undefined || theirs === undefined || ours.kind !== theirs.kind) {
      differ(`fate of ${index}`, ours?.kind, theirs?.kind);
      return;
    }
    if (!near(ours.timeS, theirs.timeS)) differ(`${ours.kind} of ${index} at`, ours.timeS, theirs.timeS);
    if (!near(ours.firstTokenS, theirs.firstTokenS))
      differ(`first token of ${index} at`, ours.firstTokenS, theirs.firstTokenS);
  });
  other.integrals.forEach((theirs, at) => {
    const ours = one.integrals[at];
    for (const name of ["busyS", "sequenceS", "kvTokenS"] as const satisfies readonly (keyof Integrals)[])
      if (ours === undefined || !near(ours[name], theirs[name]))
        differ(`${name} at book ${at}`, ours?.[name], theirs[name]);
  });
  for (const [name, theirs] of Object.entries(other.counts))
    if (one.counts[name] !== theirs) differ(name, one.counts[name], theirs);
}

/** The sketch must hold the same gaps: same number, same sum, and the same number below each edge but for rounding at it. */
function compareGaps(sketch: Sketch, gapsS: readonly number[], tiedGaps: number, differ: Differ): void {
  if (tiedGaps > 0) {
    const samples = sketch.samples();
    if (samples > gapsS.length || samples < gapsS.length - tiedGaps) differ("token gaps", samples, gapsS.length);
    return;
  }
  if (sketch.samples() !== gapsS.length) differ("token gaps", sketch.samples(), gapsS.length);
  const sum = gapsS.reduce((total, gapS) => total + gapS, 0);
  if (!near(sketch.sum, sum)) differ("sum of token gaps", sketch.sum, sum);
  const sorted = Float64Array.from(gapsS).sort();
  let inBuckets = 0;
  let surelyBelow = 0;
  let perhapsBelow = 0;
  for (let bucket = 0; bucket + 1 < SKETCH_BUCKETS; bucket++) {
    inBuckets += sketch.counts[bucket]!;
    const edge = lowerEdge(bucket + 1);
    while (surelyBelow < sorted.length && sorted[surelyBelow]! < edge * (1 - TOLERANCE)) surelyBelow++;
    while (perhapsBelow < sorted.length && sorted[perhapsBelow]! < edge * (1 + TOLERANCE)) perhapsBelow++;
    if (inBuckets < surelyBelow || inBuckets > perhapsBelow) {
      differ(`token gaps below ${edge} s`, inBuckets, `${surelyBelow}–${perhapsBelow}`);
      return;
    }
  }
}

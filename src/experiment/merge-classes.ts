import { Sketch } from "../kernel/sketch.ts";
import type { ClassResult } from "../outcome/run-result.ts";

/** All classes of a run as one; sketches are merged, never averaged. */
export function mergeClasses(classes: readonly ClassResult[]): ClassResult {
  const sketch = (of: (result: ClassResult) => ReturnType<Sketch["toPlain"]>): ReturnType<Sketch["toPlain"]> => {
    const merged = new Sketch();
    for (const result of classes) merged.merge(Sketch.fromPlain(of(result)));
    return merged.toPlain();
  };
  const totals = { ...classes[0]!.totals };
  for (const key of Object.keys(totals) as (keyof typeof totals)[])
    totals[key] = classes.reduce((sum, result) => sum + result.totals[key], 0);
  return {
    totals,
    inFlightAtHorizon: classes.reduce((sum, result) => sum + result.inFlightAtHorizon, 0),
    controlledCompleted: classes.reduce((sum, result) => sum + result.controlledCompleted, 0),
    ttftS: sketch((result) => result.ttftS),
    tpotS: sketch((result) => result.tpotS),
    itlS: sketch((result) => result.itlS),
    e2eS: sketch((result) => result.e2eS),
    attainmentWindows: NaN,
  };
}

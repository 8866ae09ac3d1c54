/**
 * Random small scenarios for the proof of exactness. Scenario n is a function of n alone, so a failure is reproduced by
 * its number. One in three lies on a grid of binary fractions: step ends, arrivals and cancellations then fall on the same
 * instants and every sum is exact, which tests the order at one instant; the others have arbitrary real times.
 */
import type { StepTime } from "../../src/engine/step-time.ts";
import { stream, type Draw } from "../../src/kernel/random.ts";
import { exponential } from "../../src/kernel/samplers.ts";
import { engineSpec, type Scenario, type ScenarioRequest } from "./scenario.ts";

export const GRID_S = 1 / 1024;
/** Context terms take step ends off the arrivals' grid, but stay exact; half of the grid's scenarios do without them. */
export const FINE_GRID_S = GRID_S / 64;

export function whole(draw: Draw, from: number, to: number): number {
  return from + Math.floor(draw() * (to - from + 1));
}

export function oneOf<T>(draw: Draw, values: readonly T[]): T {
  return values[Math.floor(draw() * values.length)]!;
}

/** Step time from four coefficients: any increasing base will do, the engine must not care. */
export function randomStepTime(draw: Draw, maxNumSeqs: number, onGrid: boolean): StepTime {
  const coarse = draw() < 0.5;
  const coefficient = (scaleS: number): number =>
    onGrid ? (coarse ? 0 : Math.floor(draw() * 4) * FINE_GRID_S) : draw() * scaleS;
  const decodeBaseS = new Float64Array(maxNumSeqs + 1);
  let baseS = onGrid ? whole(draw, 1, 8) * GRID_S : 0.001 + 0.01 * draw();
  for (let d = 1; d <= maxNumSeqs; d++) {
    decodeBaseS[d] = baseS;
    baseS += onGrid ? whole(draw, 0, 1) * GRID_S : 0.001 * draw();
  }
  const perContextTokenS = draw() < 0.3 ? 0 : coefficient(5e-5);
  const mixedBaseS = onGrid ? whole(draw, 1, 16) * GRID_S : 0.002 + 0.01 * draw();
  const perPrefillTokenS = coefficient(5e-5);
  const perPairS = draw() < 0.5 ? 0 : coefficient(1e-7);
  const perDecodeS = coefficient(1e-4);
  return {
    decodeBaseS,
    perContextTokenS,
    mixedS: (decodeSeqs, contextTokens, prefillTokens, attendedPairs, prompts) =>
      mixedBaseS +
      perDecodeS * (decodeSeqs + prompts) +
      perContextTokenS * contextTokens +
      perPrefillTokenS * prefillTokens +
      perPairS * attendedPairs,
  };
}

export function randomScenario(number: number): Scenario {
  const draw = stream("engine-leap", number, "scenario");
  const onGrid = number % 3 === 0;
  const gridded = (timeS: number): number => (onGrid ? Math.ceil(timeS / GRID_S) * GRID_S : timeS);
  const maxNumSeqs = oneOf(draw, [1, 2, 3, whole(draw, 1, 40), whole(draw, 4, 40)]);
  const maxNumBatchedTokens = maxNumSeqs + oneOf(draw, [0, whole(draw, 0, 20), whole(draw, 20, 200), 2000]);
  const longPrefillTokenThreshold = draw() < 0.6 ? 0 : whole(draw, 1, 60);
  const blockTokens = oneOf(draw, [1, 2, 4, 8, 16, 32]);

  // One in fifteen has answers of many hundred tokens, beyond what any table of near ends in an engine may hold.
  const long = draw() < 0.07;
  const longest = long ? 1500 : oneOf(draw, [8, 40, 300]);
  const count = oneOf(draw, [whole(draw, 1, 4), whole(draw, 2, 10), long ? 8 : whole(draw, 10, 40)]);
  const stepTime = randomStepTime(draw, maxNumSeqs, onGrid);
  const meanGapS = oneOf(draw, [0, 0.01, 0.1, 0.6, 3]);
  const cancelShare = oneOf(draw, [0, 0.15, 0.6]);
  const requests: ScenarioRequest[] = [];
  let timeS = gridded(0.01 * draw());
  for (let i = 0; i < count; i++) {
    // Bursts: a third of the arrivals come at the same instant as the one before.
    if (draw() > 0.33) timeS = gridded(timeS + meanGapS * exponential(draw));
    const cancelS = draw() < cancelShare ? gridded(timeS + oneOf(draw, [0.02, 0.3, 2]) * exponential(draw)) : Infinity;
    requests.push({
      arrivalS: timeS,
      inputTokens: whole(draw, 1, longest),
      outputTokens: draw() < 0.1 ? 1 : whole(draw, 1, longest),
      cancelS,
    });
  }

  // Each request must fit on its own; the KV of its last token is never written.
  let kvBlocks = 0;
  for (const { inputTokens, outputTokens } of requests)
    kvBlocks = Math.max(kvBlocks, Math.ceil((inputTokens + outputTokens - 1) / blockTokens));
  kvBlocks += oneOf(draw, [0, 1, whole(draw, 0, kvBlocks), 10 * kvBlocks, 100_000]);

  const spanS = timeS + 2;
  const times = (most: number): number[] => {
    const list: number[] = [];
    for (let n = whole(draw, 0, most); n > 0; n--) list.push(gridded(draw() * spanS));
    return list.sort((a, b) => a - b);
  };
  return {
    spec: engineSpec({ maxNumSeqs, maxNumBatchedTokens, longPrefillTokenThreshold, blockTokens, kvBlocks }),
    stepTime,
    requests,
    failuresS: draw() < 0.25 ? times(2) : [],
    booksS: times(3),
  };
}

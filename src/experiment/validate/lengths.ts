/** Lengths of recorded loads in tokens, and the error of a load that cannot be turned into requests. */
import type { Draw } from "../../kernel/random.ts";
import type { CaseLengths } from "./case.ts";

/** A load that cannot be turned into requests; the message says why. */
export class LoadError extends Error {}

/** `size` lengths of at least one token. A distribution of which only the mean is recorded is taken as constant. `field` is named where they cannot be drawn. */
export function drawLengths(lengths: CaseLengths, size: number, draw: Draw, field: string): Uint32Array {
  switch (lengths.dist) {
    case "constant":
      return new Uint32Array(size).fill(Math.max(1, Math.round(lengths.value)));
    case "mean-only":
      return new Uint32Array(size).fill(Math.max(1, Math.round(lengths.mean)));
    case "uniform-int":
      return Uint32Array.from(
        { length: size },
        () => lengths.min + Math.floor(draw() * (lengths.max - lengths.min + 1)),
      );
    case "trace":
      throw new LoadError(`${field}: lengths come from a trace, so a trace or open load with a requestsFile is needed`);
    case "unknown":
      throw new LoadError(`${field}: ${lengths.reason}`);
  }
}

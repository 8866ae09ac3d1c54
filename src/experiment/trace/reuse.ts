/** Who sends how much, sessions, and what a prompt cache could serve. */
import type { BlockLists, Labels } from "../../scenario/recorded-trace.ts";
import { quantilesOf, type Quantiles } from "./lengths.ts";

/** How requests spread over the values of one column. */
export interface Skew {
  readonly distinct: number;
  readonly rowsWithout: number;
  /** Largest first, the first ten. Shares are of the rows that have a value. */
  readonly top: readonly { readonly name: string; readonly requestShare: number; readonly tokenShare: number }[];
  readonly top10Share: number;
  /** 1 ÷ Σ share²: as many equal ones would be as uneven. */
  readonly effective: number;
}

const TOP = 10;

/** Null where no row has a value. Token shares count input and output alike. */
export function skewOf(labels: Labels, inputTokens: Uint32Array, outputTokens: Uint32Array): Skew | null {
  const requests = new Float64Array(labels.names.length);
  const tokens = new Float64Array(labels.names.length);
  let rows = 0;
  let allTokens = 0;
  labels.codes.forEach((code, i) => {
    if (code < 0) return;
    const size = inputTokens[i]! + outputTokens[i]!;
    rows++;
    allTokens += size;
    requests[code]!++;
    tokens[code]! += size;
  });
  if (rows === 0) return null;
  const order = labels.names.map((_, code) => code).sort((a, b) => requests[b]! - requests[a]! || a - b);
  const top = order.slice(0, TOP).map((code) => ({
    name: labels.names[code]!,
    requestShare: requests[code]! / rows,
    tokenShare: allTokens === 0 ? 0 : tokens[code]! / allTokens,
  }));
  const squares = requests.reduce((sum, count) => sum + (count / rows) * (count / rows), 0);
  return {
    distinct: labels.names.length,
    rowsWithout: labels.codes.length - rows,
    top,
    top10Share: top.reduce((sum, one) => sum + one.requestShare, 0),
    effective: 1 / squares,
  };
}

export interface SessionFacts {
  readonly sessions: number;
  readonly rowsWithout: number;
  readonly turns: Quantiles;
  readonly singleTurnShare: number;
  /** From the arrival of one turn to that of the next, seconds; null where no session has two. */
  readonly gapS: Quantiles | null;
  /** Share of later turns whose input is at least the turn before's input and output: the conversation is sent again. */
  readonly grownShare: number | null;
}

/** Null where no row has a session. */
export function sessionFacts(
  labels: Labels,
  arrivalS: Float64Array,
  inputTokens: Uint32Array,
  outputTokens: Uint32Array,
): SessionFacts | null {
  const turns = new Float64Array(labels.names.length);
  const last = new Int32Array(labels.names.length).fill(-1);
  const gaps: number[] = [];
  let rows = 0;
  let grown = 0;
  labels.codes.forEach((code, i) => {
    if (code < 0) return;
    rows++;
    turns[code]!++;
    const before = last[code]!;
    if (before >= 0) {
      gaps.push(arrivalS[i]! - arrivalS[before]!);
      if (inputTokens[i]! >= inputTokens[before]! + outputTokens[before]!) grown++;
    }
    last[code] = i;
  });
  const turnQuantiles = quantilesOf(turns);
  if (turnQuantiles === null) return null;
  return {
    sessions: turns.length,
    rowsWithout: labels.codes.length - rows,
    turns: turnQuantiles,
    singleTurnShare: turns.reduce((sum, count) => sum + (count === 1 ? 1 : 0), 0) / turns.length,
    gapS: quantilesOf(gaps),
    grownShare: gaps.length === 0 ? null : grown / gaps.length,
  };
}

export interface ReuseFacts {
  readonly blocks: number;
  readonly distinct: number;
  /** Share of all blocks that an earlier request had, within an unbroken run from the start of the prompt. */
  readonly hitShare: number;
  /** Share of the distinct blocks that no second request had. */
  readonly neverReusedShare: number;
}

/** What a cache that never forgets would hit; null where no row has blocks. */
export function prefixReuse({ starts, ids, distinct }: BlockLists): ReuseFacts | null {
  if (ids.length === 0) return null;
  // By block: the last row that had it, from 1; and whether two rows did.
  const lastRow = new Uint32Array(distinct);
  const shared = new Uint8Array(distinct);
  let hits = 0;
  for (let row = 0; row + 1 < starts.length; row++) {
    let unbroken = true;
    for (let i = starts[row]!; i < starts[row + 1]!; i++) {
      const id = ids[i]!;
      // A block that stands twice in one prompt is no reuse.
      const before = lastRow[id] !== row + 1 && lastRow[id]! > 0;
      unbroken = unbroken && before;
      if (unbroken) hits++;
      if (before) shared[id] = 1;
      lastRow[id] = row + 1;
    }
  }
  const never = distinct - shared.reduce((sum, one) => sum + one, 0);
  return { blocks: ids.length, distinct, hitShare: hits / ids.length, neverReusedShare: never / distinct };
}

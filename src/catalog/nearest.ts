/** Which known name somebody probably meant. */

/**
 * Damerau-Levenshtein distance in its optimal-string-alignment form: insertions, deletions, substitutions and swaps of
 * neighbours, each counted once, no character edited twice. O(|a|·|b|) time, three rows of memory.
 */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, beforePrevious[j - 2]! + 1);
      current.push(best);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length]!;
}

/**
 * The candidate nearest to `name` without regard to case, or null when none is near enough to be a slip of the hand: at
 * most two edits, or a third of the longer name. The first of equally near candidates wins. Failing that, one with the same words in
 * another order is meant (`tpotMeanMs` for `tpotMsMean`), or the only one that begins with the name (`h100` for `h100-sxm`).
 */
export function nearest(name: string, candidates: Iterable<string>): string | null {
  const wanted = name.toLowerCase();
  let best: string | null = null;
  let bestDistance = Infinity;
  const begunBy: string[] = [];
  const known = [...candidates];
  for (const candidate of known) {
    const lower = candidate.toLowerCase();
    if (wanted !== "" && lower.startsWith(wanted)) begunBy.push(candidate);
    const distance = editDistance(wanted, lower);
    const allowed = Math.max(2, Math.floor(Math.max(wanted.length, lower.length) / 3));
    if (distance <= allowed && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  if (best !== null) return best;
  const reordered = known.find((candidate) => sortedWords(candidate) === sortedWords(name));
  return reordered ?? (begunBy.length === 1 ? begunBy[0]! : null);
}

/** The words of a name in camel or kebab case, in one order. */
function sortedWords(name: string): string {
  return name
    .split(/(?=[A-Z])|[-_./ ]/)
    .map((word) => word.toLowerCase())
    .sort()
    .join(" ");
}

/** `did you mean "x"?`, or the whole list when it is short, or nothing. A name that is given twice is listed once. */
export function hintFor(name: string, candidates: readonly string[]): string | undefined {
  const meant = nearest(name, candidates);
  if (meant !== null) return `did you mean "${meant}"?`;
  const known = [...new Set(candidates)];
  return known.length > 0 && known.length <= 12 ? `known: ${known.join(", ")}` : undefined;
}

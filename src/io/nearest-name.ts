/** Finds what somebody probably meant, for messages about columns. */

/** Edits of single characters, case apart, that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (previous[j] as number) + 1, (row[j - 1] as number) + 1));
    }
    previous = row;
  }
  return previous[b.length] as number;
}

/** The name nearest to `wanted`, null when even that differs in more than a third of its letters. */
export function nearestOf(wanted: string, names: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = wanted.length / 3 + 1e-9;
  for (const name of names) {
    const distance = editDistance(wanted.toLowerCase(), name.toLowerCase());
    if (distance > bestDistance || (best !== null && distance === bestDistance)) continue;
    best = name;
    bestDistance = distance;
  }
  return best;
}

/** The tail of a message about a missing column: the nearest name present, else all names given. */
export function nearestName(wanted: string, names: readonly string[]): string {
  const nearest = nearestOf(wanted, names);
  if (nearest !== null) return `; the nearest column is ${nearest}`;
  return names.length === 0 ? "" : `; the other columns are ${names.join(", ")}`;
}

/** Which known name a misspelt one most likely means. */

/** A name may differ by so many typing errors, and by no more than one in three letters. */
const MAX_ERRORS = 2;

/** The one of `known` that is nearest to `name`; undefined when none is near, or two are equally so. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  let errors = Math.min(MAX_ERRORS, Math.floor(name.length / 3)) + 1;
  let nearest: string | undefined;
  for (const other of known) {
    if (Math.abs(other.length - name.length) > errors) continue;
    const found = typingErrors(name, other);
    if (found === errors) nearest = undefined;
    if (found >= errors) continue;
    errors = found;
    nearest = other;
  }
  return nearest;
}

/**
 * How many letters are missing, too many, wrong or swapped with their neighbour: the optimal string
 * alignment distance, by rows of the usual table.
 */
export function typingErrors(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      let least = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (isSame ? 0 : 1));
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwapped) least = Math.min(least, at(beforeLast, j - 2) + 1);
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] as number;
}

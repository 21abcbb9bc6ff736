// The lines that differ between two texts. Pure.

export interface DiffLine {
  kind: "same" | "old" | "new";
  text: string;
}

/** Beyond so many pairs of lines, the whole middle counts as changed. */
const PAIRS_MAX = 4_000_000;

export function diff(before: string, after: string): DiffLine[] {
  const [one, other] = [before.split("\n"), after.split("\n")];
  let from = 0;
  while (from < Math.min(one.length, other.length) && one[from] === other[from]) from += 1;
  let end = 0;
  while (end < Math.min(one.length, other.length) - from && one.at(-1 - end) === other.at(-1 - end)) end += 1;
  const same = (lines: string[]): DiffLine[] => lines.map((text) => ({ kind: "same", text }));
  return [
    ...same(one.slice(0, from)),
    ...middle(one.slice(from, one.length - end), other.slice(from, other.length - end)),
    ...same(one.slice(one.length - end)),
  ];
}

/** Finds the longest common lines of both. */
function middle(one: string[], other: string[]): DiffLine[] {
  const width = other.length + 1;
  const isLarge = one.length * other.length > PAIRS_MAX;
  const table = isLarge ? new Uint16Array(0) : new Uint16Array((one.length + 1) * width);
  for (let row = one.length - 1; row >= 0 && !isLarge; row -= 1) {
    for (let column = other.length - 1; column >= 0; column -= 1) {
      const own = row * width + column;
      table[own] = one[row] === other[column] ? (table[own + width + 1] ?? 0) + 1 : Math.max(table[own + width] ?? 0, table[own + 1] ?? 0);
    }
  }
  const made: DiffLine[] = [];
  let [row, column] = [0, 0];
  while (row < one.length || column < other.length) {
    const own = row * width + column;
    if (!isLarge && row < one.length && column < other.length && one[row] === other[column]) {
      made.push({ kind: "same", text: one[row] as string });
      row += 1;
      column += 1;
    } else if (column >= other.length || (row < one.length && (isLarge || (table[own + width] ?? 0) >= (table[own + 1] ?? 0)))) {
      made.push({ kind: "old", text: one[row] as string });
      row += 1;
    } else {
      made.push({ kind: "new", text: other[column] as string });
      column += 1;
    }
  }
  return made;
}

export interface Hunk {
  lines: DiffLine[];
  /** How many equal lines before it are left out. */
  skipped: number;
}

const AROUND = 3;

/** Returns the changed lines with a few around them. */
export function hunks(lines: readonly DiffLine[]): Hunk[] {
  const isNear = lines.map((_, at) => lines.slice(Math.max(0, at - AROUND), at + AROUND + 1).some(({ kind }) => kind !== "same"));
  const made: Hunk[] = [];
  let skipped = 0;
  lines.forEach((line, at) => {
    if (isNear[at] !== true) {
      skipped += 1;
      return;
    }
    if (skipped > 0 || made.length === 0) made.push({ lines: [], skipped });
    skipped = 0;
    made.at(-1)?.lines.push(line);
  });
  return made;
}

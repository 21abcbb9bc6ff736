// How far a backfill is: a bar of its runs by status, and the same in words.

import type { BackfillCounts } from "../../api/backfills";

const PARTS = ["success", "failed", "cancelled", "running"] as const;

export function totalOf({ pending, running, success, failed, cancelled }: BackfillCounts): number {
  return pending + running + success + failed + cancelled;
}

export function progressWords(counts: BackfillCounts): string {
  const { success, failed, cancelled, running } = counts;
  const others: [number, string][] = [[failed, "failed"], [cancelled, "cancelled"], [running, "running"]];
  const more = others.flatMap(([count, word]) => (count === 0 ? [] : [`${count} ${word}`]));
  return [`${success} of ${totalOf(counts)} done`, ...more].join(", ");
}

export function Progress({ counts }: { counts: BackfillCounts }) {
  const total = Math.max(1, totalOf(counts));
  return (
    <span class="progress">
      <span class="progress-bar" aria-hidden="true">
        {PARTS.map((part) => counts[part] > 0 && <span key={part} class={`is-${part}`} style={{ width: `${(100 * counts[part]) / total}%` }} />)}
      </span>
      <span class="number">{progressWords(counts)}</span>
    </span>
  );
}

// Which runs wait for long. Pure.

import type { Run } from "../../api/model";

export const LONG_MS = 10 * 60 * 1000;

/** Returns the pending runs that have waited for long, without a time of their own, the longest
 * first. */
export function longWaiting(open: readonly Run[], older: readonly Run[], now: number): Run[] {
  const known = new Set(open.map((run) => run.id));
  const all = [...open, ...older.filter((run) => !known.has(run.id))];
  const since = (run: Run) => Date.parse(run.created_at);
  return all
    .filter((run) => run.status === "pending" && run.run_after === undefined && now - since(run) > LONG_MS)
    .sort((one, other) => since(one) - since(other));
}

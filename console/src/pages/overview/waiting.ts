// The runs that wait for long. The dashboard has the newest open runs alone; if there are more, the
// older ones are read.

import { ask } from "../../api/client";
import type { Run } from "../../api/model";
import { useResource } from "../../live/resource";
import { longWaiting, LONG_MS } from "./long_waiting";

/** So many of the newest open runs are in the dashboard. */
const OPEN = 20;

/** Returns the runs that wait for long, the longest first. */
export function useLongWaiting(open: readonly Run[], now: number): Run[] {
  const hasMore = open.length >= OPEN;
  const older = useResource<Run[]>(`waiting ${hasMore}`, () => ({
    read: (signal) => {
      if (!hasMore) return Promise.resolve({ data: [], seq: Number.NaN });
      const to = new Date(Date.now() - LONG_MS).toISOString();
      return ask<Run[]>("runs", { query: { status: "pending", to }, signal });
    },
    concerns: (event) => hasMore && event.type !== "run.created",
    // They wait for minutes.
    betweenMs: 10_000,
  }));
  return longWaiting(open, older.data.value ?? [], now);
}

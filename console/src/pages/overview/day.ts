// The runs of the last 24 hours. Few of them are in the dashboard; more are read once, and then
// follow the events.

import { ask } from "../../api/client";
import type { PageOf, Run } from "../../api/model";
import { useResource } from "../../live/resource";
import { applyToDay, HELD_MAX } from "./day_events";

export const DAY_MS = 24 * 3600 * 1000;
const PAGE = 100;
/** So many of the newest runs are in the dashboard. */
const RECENT = 50;
/** Events change the runs at once. What they do not say may be a little older. */
const BETWEEN_MS = 15_000;

async function readDay(signal: AbortSignal) {
  const from = new Date(Date.now() - DAY_MS).toISOString();
  const runs: Run[] = [];
  let after: string | undefined;
  let seq = Number.NaN;
  for (let page = 0; page < HELD_MAX / PAGE; page += 1) {
    const answer = await ask<PageOf<Run>>("runs", { query: { from, after, limit: PAGE }, signal });
    runs.push(...answer.data.items);
    seq = page === 0 ? answer.seq : seq;
    after = answer.data.cursor;
    if (!answer.data.has_next || after === undefined) break;
  }
  return { data: runs, seq };
}

/** Returns the runs of the last day from the newest runs, or nothing while they are not known. */
export function useDay(recent: readonly Run[] | undefined): readonly Run[] {
  const from = Date.now() - DAY_MS;
  const own = recent?.filter((run) => Date.parse(run.created_at) >= from) ?? [];
  const hasMore = own.length >= RECENT;
  const day = useResource<Run[]>(`day ${hasMore}`, () => ({
    read: (signal) => (hasMore ? readDay(signal) : Promise.resolve({ data: [], seq: Number.NaN })),
    concerns: () => hasMore,
    apply: applyToDay,
    betweenMs: BETWEEN_MS,
  }));
  const read = day.data.value;
  return hasMore && read !== undefined && read.length > 0 ? read : own;
}

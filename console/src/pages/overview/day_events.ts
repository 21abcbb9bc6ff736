// What events change in the runs of a day. Pure.

import type { Event, Run } from "../../api/model";
import { RUN_STATUS } from "../../api/run_events";

/** So many runs are held: more of a day are a band of color. */
export const HELD_MAX = 400;

/** Applies an event to runs, the newest first. */
export function applyToDay(runs: Run[], event: Event): Run[] {
  if (event.type === "run.created") return [created(event), ...runs.slice(0, HELD_MAX - 1)];
  const status = RUN_STATUS[event.type];
  if (status === undefined) return runs;
  return runs.map((run) => {
    if (run.id !== event.run_id) return run;
    if (status === "running") return { ...run, status, started_at: event.timestamp };
    return { ...run, status, finished_at: event.timestamp, error: event.error };
  });
}

function created({ run_id, pipeline_id, tenant, timestamp }: Event): Run {
  const known = { id: run_id, pipeline_id, tenant, created_at: timestamp };
  return { ...known, status: "pending", pipeline_version: 0, trigger: "", params: {} };
}

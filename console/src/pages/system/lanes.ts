// Waiting runs by lane. Pure.

import type { Run } from "../../api/model";
import { groups } from "../../groups";

export interface Lane {
  name: string;
  priority: string;
  oldest: Run;
  runs: number;
}

const ORDER = ["high", "normal", "low", "schedule", "backfill"];

/** The priority of a run: those of schedules and backfills come after all others. */
export function priorityOf({ trigger, priority = "normal" }: Run): string {
  if (trigger === "backfill") return "backfill";
  return ["schedule", "catchup", "dependency"].includes(trigger) ? "schedule" : priority;
}

export function lanesOf(runs: readonly Run[]): Lane[] {
  const nameOf = (run: Run) => JSON.stringify([priorityOf(run), run.tenant, run.pipeline_id, run.backfill_id]);
  const lanes = [...groups(runs, nameOf)].map(([name, own]): Lane => {
    const oldest = own.reduce((one, other) => (other.created_at < one.created_at ? other : one));
    return { name, priority: priorityOf(oldest), oldest, runs: own.length };
  });
  return lanes.sort((one, other) => ORDER.indexOf(one.priority) - ORDER.indexOf(other.priority) || other.runs - one.runs);
}

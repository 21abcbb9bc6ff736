// Which failed runs somebody should look at. Pure.

import type { Run } from "../../api/model";
import { qualified } from "../../tenants";

/** The newest failed run of each pipeline that nothing has succeeded after, nor goes on with. */
export function unresolved(runs: readonly Run[]): Run[] {
  const isOver = new Set<string>();
  const found: Run[] = [];
  for (const run of runs) {
    const pipeline = qualified(run.pipeline_id, run);
    if (isOver.has(pipeline)) continue;
    if (run.status === "failed") found.push(run);
    if (run.status !== "cancelled") isOver.add(pipeline);
  }
  return found;
}

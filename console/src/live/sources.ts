// What several views read, and the events that they follow.

import { ask } from "../api/client";
import type { Grid, Pipeline, ScheduleStatus } from "../api/model";
import { pathOf } from "../router/path";
import { tenantOf } from "../router/tenant";
import { qualified, type Owned } from "../tenants";
import type { Source } from "./resource";

/** The events that change what a list shows of a run. */
export const RUN_EVENTS = "run.created,run.started,run.cancelling,run.completed,run.failed,run.cancelled";

/** The events that change what a grid shows of a run and its nodes. */
export const GRID_EVENTS =
  "run.created,run.started,run.completed,run.failed,run.cancelled,node.started,node.completed,node.failed,node.skipped,node.cancelled";

export function pipelineSource(id: string, own: Owned = {}): Source<Pipeline> {
  return { read: (signal) => ask<Pipeline>(pathOf("pipelines", id), { query: tenantOf(own), signal }) };
}

/** The newest runs of a pipeline, with the status of each node. */
export function gridSource(id: string, runs: number, own: Owned = {}): Source<Grid> {
  return {
    read: (signal) => ask<Grid>(pathOf("pipelines", id, "grid"), { query: { runs, ...tenantOf(own) }, signal }),
    concerns: (event) => event.pipeline_id === id && event.type !== "log",
  };
}

export function schedulesSource(): Source<ScheduleStatus[]> {
  return {
    read: (signal) => ask<ScheduleStatus[]>("scheduler/status", { signal }),
    concerns: (event) => event.type === "run.created",
    // A schedule changes with its ticks, which are minutes apart.
    betweenMs: 10_000,
  };
}

/** Returns the schedule of each pipeline, by its qualified name. */
export function schedulesByPipeline(schedules: readonly ScheduleStatus[] = []): Map<string, ScheduleStatus> {
  return new Map(schedules.map((own) => [qualified(own.pipeline_id, own), own]));
}

// The views and dialogs that are not of the first script: each is loaded with all the others of
// them.

import type { VNode } from "preact";
import { BackfillPage } from "./backfill/page";
import { BackfillsPage } from "./backfills/page";
import { CalendarPage } from "./calendar/page";
import { ComparePage } from "./compare/page";
import { ConnectionsPage } from "./connections/page";
import { LineagePage } from "./lineage/page";
import { PipelinePage } from "./pipeline/page";
import { SchedulesPage } from "./schedules/page";
import { SystemPage } from "./system/page";
import { VariablesPage } from "./variables/page";

export { PauseDialog } from "./pipelines/pause";
export { TriggerDialog } from "./pipelines/trigger";

/** Returns the view of a path, or nothing if there is none. */
export function viewOf([place, id, ...rest]: readonly string[]): VNode | undefined {
  if (place === "runs" && id !== undefined && rest[0] === "compare" && rest.length <= 2) {
    return <ComparePage key={rest.join()} id={id} other={rest[1]} />;
  }
  if (rest.length > 0) return undefined;
  return id === undefined ? listOf(place) : objectOf(place, id);
}

function listOf(place: string | undefined): VNode | undefined {
  switch (place) {
    case "backfills": return <BackfillsPage />;
    case "calendar": return <CalendarPage />;
    case "connections": return <ConnectionsPage />;
    case "lineage": return <LineagePage />;
    case "schedules": return <SchedulesPage />;
    case "system": return <SystemPage />;
    case "variables": return <VariablesPage />;
    default: return undefined;
  }
}

function objectOf(place: string | undefined, id: string): VNode | undefined {
  switch (place) {
    case "pipelines": return <PipelinePage key={id} id={id} />;
    case "backfills": return <BackfillPage key={id} id={id} />;
    default: return undefined;
  }
}

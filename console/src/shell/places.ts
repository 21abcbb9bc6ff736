// The views that everybody reaches from everywhere.

import { capabilities, may } from "../api/caller";

export interface Place {
  /** The first part of its address. */
  id: string;
  name: string;
  /** The key after `g` that leads to it. */
  key: string;
  /** The permission without which it shows nothing. */
  needs?: string;
}

export const PLACES: readonly Place[] = [
  { id: "overview", name: "Overview", key: "o" },
  { id: "pipelines", name: "Pipelines", key: "p" },
  { id: "runs", name: "Runs", key: "r" },
  { id: "backfills", name: "Backfills", key: "b", needs: "runs.view" },
  { id: "calendar", name: "Calendar", key: "c", needs: "runs.view" },
  { id: "schedules", name: "Schedules", key: "s", needs: "pipelines.view" },
  { id: "lineage", name: "Lineage", key: "l", needs: "pipelines.view" },
  { id: "connections", name: "Connections", key: "n", needs: "connections.view" },
  { id: "variables", name: "Variables", key: "v", needs: "variables.view" },
  { id: "system", name: "System", key: "y", needs: "settings.view" },
];

/** The views that the caller may see. */
export function placesOf(): readonly Place[] {
  return PLACES.filter(({ needs }) => needs === undefined || capabilities.value === undefined || may(needs));
}

// Backfills, as far as the page shows them.

import type { Pause } from "./model";

export type BackfillStatus = "running" | "paused" | "success" | "failed" | "cancelled";
export type BackfillUnit = "day" | "hour" | "week" | "month" | "tick";

export interface BackfillCounts {
  pending: number;
  running: number;
  success: number;
  failed: number;
  cancelled: number;
}

export interface Backfill {
  id: string;
  pipeline_id: string;
  status: BackfillStatus;
  start_date: string;
  end_date: string;
  unit: BackfillUnit;
  order: "asc" | "desc";
  max_parallel: number;
  max_failures?: number;
  paused?: Pause;
  rerun_of?: string;
  counts: BackfillCounts;
  run_ids: string[];
  created_at: string;
  finished_at?: string;
  tenant?: string;
}

export interface BackfillPreview {
  dates: string[];
  skipped: string[];
  instants?: string[];
  skipped_instants?: string[];
}

/** Whether some of its runs have not finished. */
export function isOpen({ status }: Backfill): boolean {
  return status === "running" || status === "paused";
}

// The system, its deliveries and its audit, as far as the page shows them.

export interface SystemInfo {
  version: string;
  db_size: number;
  db_size_mb: string;
  pipelines: number;
  active_runs: number;
  queued_runs: number;
  max_concurrent_runs: number;
  dead_letters: number;
  unreadable_rows?: number;
  storage: string;
  uptime_seconds: number;
}

export interface Delivery {
  id: string;
  notifier: string;
  seq: number;
  state: "waiting" | "dead";
  type?: string;
  run_id: string;
  pipeline_id: string;
  tries: number;
  at: string;
  /** Why the last try failed. */
  error?: string;
}

export interface AuditEntry {
  id: string;
  at: string;
  by?: string;
  action: string;
  subject: string;
  reason?: string;
  outcome: "done" | "refused";
  problem?: string;
  tenant?: string;
}

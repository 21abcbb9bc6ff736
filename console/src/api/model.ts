// The objects of the API, as far as the page shows them.

import type { Exact, Json } from "./json";

export type RunStatus = "pending" | "running" | "success" | "failed" | "cancelled";
export type NodeStatus = RunStatus | "skipped";

export interface NodeRun {
  node_id: string;
  status: NodeStatus;
  attempt: number;
  row_count?: number;
  duration_ms?: number;
  queue_ms?: number;
  started_at?: string;
  finished_at?: string;
  error?: string;
  reused_from?: string;
  branch?: boolean;
}

export interface Waiting {
  reason: string;
  ahead?: number;
  until?: string;
}

export interface Run {
  id: string;
  pipeline_id: string;
  pipeline_version: number;
  status: RunStatus;
  cancelling?: boolean;
  trigger: string;
  params: Record<string, string>;
  scheduled_at?: string;
  created_at: string;
  started_at?: string;
  finished_at?: string;
  error?: string;
  resumed_from?: string;
  rerun_of?: string;
  upstream_run_id?: string;
  backfill_id?: string;
  created_by?: string;
  labels?: Record<string, string>;
  note?: string;
  waiting?: Waiting;
  cancel?: { by?: string; reason?: string; at: string; force?: boolean };
  run_after?: string;
  priority?: string;
  tenant?: string;
}

export interface RunDetail extends Run {
  node_runs: NodeRun[];
}

export interface Pause {
  at: string;
  by?: string;
  reason?: string;
}

export interface PipelineSummary {
  id: string;
  slug: string;
  name: string;
  description: string;
  schedule?: string;
  enabled: boolean;
  tags: string[];
  managed: string;
  paused?: Pause;
  tenant?: string;
  owner?: string;
}

export interface ParamDef {
  name: string;
  type: "string" | "integer" | "number" | "boolean" | "date" | "datetime" | "enum";
  required?: boolean;
  default?: string | number | boolean;
  values?: string[];
  min?: string | number;
  max?: string | number;
  pattern?: string;
  description?: string;
  secret?: boolean;
}

export interface NodeDef {
  id: string;
  type: string;
  name: string;
  config: { [key: string]: Json };
}

export interface EdgeDef {
  from: string;
  to: string;
  condition?: boolean;
}

export interface Pipeline extends PipelineSummary {
  nodes: NodeDef[];
  edges: EdgeDef[];
  params: Record<string, string>;
  param_defs?: ParamDef[];
  version: number;
  schedule_timezone?: string;
  timeout?: number;
  max_concurrent_runs?: number;
  docs?: string;
  created_at: string;
  updated_at: string;
}

export interface GridRun {
  id: string;
  status: RunStatus;
  created_at: string;
  duration_ms?: number;
  cells: string;
}

export interface Grid {
  nodes: string[];
  runs: GridRun[];
}

export interface ScheduleStatus {
  pipeline_id: string;
  pipeline_name: string;
  schedule: string;
  timezone: string;
  enabled: boolean;
  next_run?: string;
  next_runs?: string[];
  paused?: Pause;
  skipped_reason?: string;
  tenant?: string;
}

export interface PageOf<T> {
  items: T[];
  has_next: boolean;
  cursor?: string;
}

export interface LogLine {
  seq: number;
  node_id?: string;
  level: "debug" | "info" | "warning" | "error";
  message: string;
  timestamp: string;
  attempt?: number;
}

export interface Attempt {
  attempt: number;
  status: NodeStatus | "interrupted";
  started_at: string;
  finished_at?: string;
  duration_ms?: number;
  error?: string;
}

export type Cell = Json | Exact;

export interface Preview {
  columns: string[];
  rows: Record<string, Cell>[];
  row_count: number;
  truncated: boolean;
}

export interface ColumnProfile {
  name: string;
  type: string;
  null_pct: number;
  unique_count: number;
  capped: boolean;
  min_val?: Json;
  max_val?: Json;
  mean_val?: Json;
}

export interface Drift {
  column: string;
  kind: string;
  before?: Json;
  after?: Json;
}

export interface NodeProfile {
  profile: { row_count: number; columns: ColumnProfile[] };
  drift?: Drift[];
}

export interface NodeHistory {
  run_id: string;
  status: NodeStatus;
  duration_ms?: number;
  row_count?: number;
}

export interface Event {
  tenant?: string;
  seq: number;
  type: string;
  run_id: string;
  pipeline_id: string;
  node_id?: string;
  status?: NodeStatus;
  row_count?: number;
  duration_ms?: number;
  attempt?: number;
  error?: string;
  timestamp: string;
}

export interface Dashboard {
  recent_runs: Run[];
  open_runs: Run[];
  trends: { date: string; success: number; failed: number; total: number }[];
  top_failing: { pipeline_id: string; name: string; fail_count: number; tenant?: string }[];
  runs_running: number;
  runs_24h_success: number;
  runs_24h_failed: number;
  success_rate_24h?: number;
}

export interface SearchHit {
  tenant?: string;
  type: string;
  id: string;
  name: string;
  description: string;
  meta: string;
}

export interface Capabilities {
  version: string;
  caller: { name?: string; tenant?: string; permissions: string[] };
}

export interface ResumePreview {
  nodes: { node_id: string; action: "reuse" | "execute" | "skip" | "never"; reason: string }[];
}

export interface BulkOutcome {
  done: number;
  skipped: { run_id: string; reason: string }[];
}

// The run of a page: its snapshot, and what events change in it before the next one. Pure.

import type { EdgeDef, Event, NodeDef, NodeRun, NodeStatus, RunDetail, RunStatus } from "../../api/model";
import { RUN_STATUS } from "../../api/run_events";

/** The definition of the version that a run executes. */
export interface Definition {
  edges: EdgeDef[];
  nodes: Map<string, NodeDef>;
  /** Whether it is known, or known to be gone. */
  isSettled: boolean;
}

const NODE: Record<string, NodeStatus> = {
  "node.started": "running",
  "node.completed": "success",
  "node.failed": "failed",
  "node.skipped": "skipped",
  "node.cancelled": "cancelled",
};

const TERMINAL: readonly NodeStatus[] = ["success", "failed", "cancelled", "skipped"];

export function isFinished(status: NodeStatus): boolean {
  return TERMINAL.includes(status);
}

/** Applies an event. A terminal status never changes, so an old event cannot undo one. */
export function applyEvent(run: RunDetail, event: Event): RunDetail {
  const status = RUN_STATUS[event.type];
  if (status !== undefined && !isFinished(run.status)) return withStatus(run, status, event);
  if (event.type === "run.cancelling") return { ...run, cancelling: true };
  const nodeStatus = NODE[event.type];
  if (nodeStatus === undefined || event.node_id === undefined) return run;
  const change = (node: NodeRun) => (node.node_id === event.node_id ? withEvent(node, nodeStatus, event) : node);
  return { ...run, node_runs: run.node_runs.map(change) };
}

function withStatus(run: RunDetail, status: RunStatus, event: Event): RunDetail {
  if (status === "running") return { ...run, status, started_at: run.started_at ?? event.timestamp, waiting: undefined };
  return { ...run, status, finished_at: event.timestamp, error: event.error ?? run.error };
}

function withEvent(node: NodeRun, status: NodeStatus, event: Event): NodeRun {
  if (isFinished(node.status)) return node;
  const attempt = event.attempt ?? node.attempt;
  if (status === "running") return { ...node, status, attempt, started_at: node.started_at ?? event.timestamp };
  return {
    ...node,
    status,
    attempt,
    finished_at: event.timestamp,
    duration_ms: event.duration_ms ?? node.duration_ms,
    row_count: event.row_count ?? node.row_count,
    error: event.error ?? node.error,
  };
}

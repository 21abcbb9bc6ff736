// The runs of a backfill, each with its day or instant and its newest status.

import { signal, type Signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { ask } from "../../api/client";
import type { Backfill } from "../../api/backfills";
import type { Event, PageOf, Run, RunStatus } from "../../api/model";
import { listen } from "../../live/doorbell";
import { useResource, type Resource } from "../../live/resource";
import { pathOf } from "../../router/path";

/** A page of the API has no more. */
const PAGE = 100;
/** All runs of a backfill are created at once. */
const CREATED_MS = 1000;

const STATUSES: Record<string, RunStatus> = {
  "run.started": "running",
  "run.completed": "success",
  "run.failed": "failed",
  "run.cancelled": "cancelled",
};
const RANKS: Record<RunStatus, number> = { pending: 0, running: 1, success: 2, failed: 2, cancelled: 2 };

async function read({ id, pipeline_id, tenant, created_at }: Backfill, signal: AbortSignal) {
  const runs: Run[] = [];
  const to = new Date(Date.parse(created_at) + CREATED_MS).toISOString();
  let after: string | undefined;
  let seq = Number.NaN;
  do {
    const query = { trigger: "backfill", from: created_at, to, tenant, after, limit: PAGE };
    const answer = await ask<PageOf<Run>>(pathOf("pipelines", pipeline_id, "runs"), { query, signal });
    if (after === undefined) seq = answer.seq;
    runs.push(...answer.data.items.filter((run) => run.backfill_id === id));
    after = answer.data.has_next ? answer.data.cursor : undefined;
  } while (after !== undefined);
  return { data: runs.sort(byDate), seq };
}

const dateOf = (run: Run) => run.scheduled_at ?? run.params.date ?? "";

function byDate(one: Run, other: Run): number {
  return dateOf(one) < dateOf(other) ? -1 : 1;
}

/** What the events say of each run. A terminal status never changes, and none goes back. */
export function withEvents(known: ReadonlyMap<string, RunStatus>, events: readonly Event[]): Map<string, RunStatus> {
  const next = new Map(known);
  for (const { run_id, type } of events) {
    const status = STATUSES[type];
    if (status !== undefined && RANKS[status] > RANKS[next.get(run_id) ?? "pending"]) next.set(run_id, status);
  }
  return next;
}

export function newest(run: Run, known: ReadonlyMap<string, RunStatus>): RunStatus {
  const status = known.get(run.id) ?? "pending";
  return RANKS[status] > RANKS[run.status] ? status : run.status;
}

export interface Runs {
  list: Resource<Run[]>;
  known: Signal<Map<string, RunStatus>>;
}

/** Reads the runs once. Later, events alone change them: a backfill may have thousands. */
export function useRuns(backfill: Backfill): Runs {
  const list = useResource(`runs of ${backfill.id}`, () => ({ read: (signal) => read(backfill, signal) }));
  const known = useMemo(() => signal(new Map<string, RunStatus>()), [backfill.id]);
  useEffect(() => listen({
    ring: (events) => (known.value = withEvents(known.value, events)),
    reset: () => (known.value = new Map()),
  }), [known]);
  return { list, known };
}

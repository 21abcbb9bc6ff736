// Where the time of a run went: the chain of nodes that decided its end, and what each waited for.
// Pure.

import type { EdgeDef, NodeRun, RunDetail } from "../../api/model";
import { groups } from "../../groups";
import { duration } from "../../text/duration";
import { count } from "../../text/words";

export interface Span {
  node: NodeRun;
  /** When the node was ready, began, and ended, in milliseconds since the epoch. */
  readyAt: number;
  startedAt: number;
  endedAt: number;
}

export function spanOf(node: NodeRun, now: number): Span | undefined {
  if (node.started_at === undefined || node.reused_from !== undefined) return undefined;
  const startedAt = Date.parse(node.started_at);
  const endedAt = node.finished_at === undefined ? now : Date.parse(node.finished_at);
  return { node, readyAt: startedAt - (node.queue_ms ?? 0), startedAt, endedAt: Math.max(startedAt, endedAt) };
}

/** Returns the ids of the nodes that decided when the run ended, from the first to the last. */
export function criticalPath(run: RunDetail, edges: readonly EdgeDef[], now: number): string[] {
  const spans = new Map<string, Span>();
  for (const node of run.node_runs) {
    const span = spanOf(node, now);
    if (span !== undefined) spans.set(node.node_id, span);
  }
  const latest = (ids: Iterable<string>) => {
    let found: Span | undefined;
    for (const id of ids) {
      const span = spans.get(id);
      if (span !== undefined && (found === undefined || span.endedAt > found.endedAt)) found = span;
    }
    return found?.node.node_id;
  };
  const leading = groups(edges, (edge) => edge.to);
  const path: string[] = [];
  for (let at = latest(spans.keys()); at !== undefined && !path.includes(at); ) {
    path.unshift(at);
    at = latest((leading.get(at) ?? []).map((edge) => edge.from));
  }
  return path;
}

interface Share {
  ms: number;
  words: string;
}

/** One sentence: "14 min: 9 min in `join`, 3 min waiting for a slot". */
export function timeSentence(run: RunDetail, path: readonly string[], now: number): string {
  if (run.started_at === undefined) return "";
  const created = Date.parse(run.created_at);
  const started = Date.parse(run.started_at);
  const end = run.finished_at === undefined ? now : Date.parse(run.finished_at);
  const spans = path.flatMap((id) => {
    const node = run.node_runs.find((own) => own.node_id === id);
    return node === undefined ? [] : (spanOf(node, now) ?? []);
  });
  const shares: Share[] = [{ ms: started - created, words: "in the queue" }, ...spansShares(spans)];
  const total = end - created;
  const named = shares.filter(({ ms }) => ms >= Math.max(1, total / 50)).sort((one, other) => other.ms - one.ms);
  if (named.length === 0) return duration(total);
  const parts = named.slice(0, 3).map(({ ms, words }) => `${duration(ms)} ${words}`);
  const rest = named.length - parts.length;
  const more = rest > 0 ? `, and ${count(rest, "shorter part")}` : "";
  return `${duration(total)}: ${parts.join(", ")}${more}`;
}

function spansShares(spans: readonly Span[]): Share[] {
  const waited = spans.reduce((sum, span) => sum + span.startedAt - span.readyAt, 0);
  const shares = [{ ms: waited, words: "waiting for a slot" }];
  let retries = 0;
  for (const { node, startedAt, endedAt } of spans) {
    const whole = endedAt - startedAt;
    const last = node.attempt > 1 ? Math.min(whole, node.duration_ms ?? whole) : whole;
    retries += whole - last;
    shares.push({ ms: last, words: `in “${node.node_id}”` });
  }
  return [...shares, { ms: retries, words: "in failed attempts" }];
}

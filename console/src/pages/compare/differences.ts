// How two runs of a pipeline differ: in their settings, and node by node. Pure.

import type { NodeRun, RunDetail } from "../../api/model";

export interface Pair {
  name: string;
  before: string | undefined;
  after: string | undefined;
}

export interface NodePair {
  id: string;
  before: NodeRun | undefined;
  after: NodeRun | undefined;
  /** What differs, in words. Durations always do, and do not count. */
  why: string | undefined;
}

/** The names of both records with both values, those that differ first. */
export function pairs(before: Record<string, string> = {}, after: Record<string, string> = {}): Pair[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const made = names.map((name) => ({ name, before: before[name], after: after[name] }));
  return made.sort((one, other) => Number(one.before === one.after) - Number(other.before === other.after));
}

function whyOf(before: NodeRun | undefined, after: NodeRun | undefined): string | undefined {
  if (before === undefined) return "it is new";
  if (after === undefined) return "it is gone";
  if (before.status !== after.status) return `${before.status} before, ${after.status} after`;
  if (before.row_count !== after.row_count) return `${rows(before)} before, ${rows(after)} after`;
  return before.branch === after.branch ? undefined : "it has taken another branch";
}

function rows({ row_count }: NodeRun): string {
  return row_count === undefined ? "no rows" : `${row_count.toLocaleString("en-US")} ${row_count === 1 ? "row" : "rows"}`;
}

/** The nodes of both runs in the order of the later one. Those that are gone come after the others. */
export function nodePairs(before: RunDetail, after: RunDetail): NodePair[] {
  const known = new Map(before.node_runs.map((node) => [node.node_id, node]));
  const own = new Set(after.node_runs.map((node) => node.node_id));
  const gone = before.node_runs.filter((node) => !own.has(node.node_id));
  return [
    ...after.node_runs.map((node) => ({ id: node.node_id, before: known.get(node.node_id), after: node })),
    ...gone.map((node) => ({ id: node.node_id, before: node, after: undefined })),
  ].map((pair) => ({ ...pair, why: whyOf(pair.before, pair.after) }));
}

export function changeOf(before: number | undefined, after: number | undefined): string {
  if (before === undefined || after === undefined || before === after) return "";
  if (before === 0) return "+";
  const percent = Math.round((100 * (after - before)) / before);
  return percent === 0 ? "" : `${percent > 0 ? "+" : "−"}${Math.abs(percent)} %`;
}

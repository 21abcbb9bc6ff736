// What a text says of a pipeline, and what is wrong with it before the API has seen it. Pure.

import { format, parse, type Json } from "../../../api/json";
import type { EdgeDef, Pipeline } from "../../../api/model";
import { lineOf, lineOfError, linesOf } from "./pointers";

export interface Remark {
  pointer: string;
  line: number;
  detail: string;
}

export interface Draft {
  nodes: { id: string; name: string; type: string }[];
  edges: EdgeDef[];
  lines: ReadonlyMap<string, number>;
  remarks: Remark[];
}

/** What the server makes itself, or what has a command of its own. */
const MADE = ["version", "created_at", "updated_at", "managed", "paused", "tenant", "pipeline_id", "warnings"];

/** Returns a definition as people edit it. */
export function textOf(pipeline: Pipeline): string {
  const own = Object.entries(pipeline).filter(([name, value]) => !MADE.includes(name) && value !== undefined);
  return format(Object.fromEntries(own) as Json);
}

interface Read {
  nodes?: unknown;
  edges?: unknown;
}

const list = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.filter((own) => typeof own === "object" && own !== null) : []);
const text = (value: unknown): string => (typeof value === "string" ? value : "");

export function readDraft(source: string): Draft {
  let read: Read;
  let lines: ReadonlyMap<string, number>;
  try {
    read = (parse(source) ?? {}) as Read;
    lines = linesOf(source);
  } catch (error) {
    const detail = error instanceof Error ? error.message : "it is no JSON";
    return { nodes: [], edges: [], lines: new Map(), remarks: [{ pointer: "", line: lineOfError(source, detail), detail }] };
  }
  const nodes = list(read.nodes).map(({ id, name, type }) => ({ id: text(id), name: text(name) || text(id), type: text(type) }));
  const edges = list(read.edges).map(({ from, to, condition }) => ({ from: text(from), to: text(to), ...(typeof condition === "boolean" ? { condition } : {}) }));
  const remarks = [...check(nodes, edges)].map(([pointer, detail]) => ({ pointer, detail, line: lineOf(lines, pointer) }));
  return { nodes, edges, lines, remarks };
}

function* check(nodes: Draft["nodes"], edges: readonly EdgeDef[]): Generator<[string, string]> {
  const known = new Set<string>();
  for (const [at, { id }] of nodes.entries()) {
    if (id !== "" && known.has(id)) yield [`/nodes/${at}/id`, `another node has the id “${id}”`];
    known.add(id);
  }
  for (const [at, edge] of edges.entries()) {
    for (const end of ["from", "to"] as const) {
      if (!known.has(edge[end])) yield [`/edges/${at}/${end}`, `no node has the id “${edge[end]}”`];
    }
    if (edge.from === edge.to) yield [`/edges/${at}`, "an edge leads to its own node"];
  }
  const circle = inCircle(edges);
  if (circle !== undefined) yield [`/edges/${circle}`, "the edges lead in a circle"];
}

/** Returns an edge of a circle, if there is one. */
function inCircle(edges: readonly EdgeDef[]): number | undefined {
  let open = edges.map((edge, at) => ({ edge, at }));
  for (;;) {
    const ends = new Set(open.map(({ edge }) => edge.to));
    const next = open.filter(({ edge }) => ends.has(edge.from));
    if (next.length === open.length) return open[0]?.at;
    open = next;
  }
}

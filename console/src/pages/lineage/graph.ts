// The graph of a lineage: with or without the nodes of pipelines, and what is above and below.
// Pure.

import type { Lineage, LineageEdge, LineageNode } from "../../api/lineage";
import { groups } from "../../groups";

type Ends = Pick<LineageEdge, "from" | "to">;

export interface Neighbors {
  up: ReadonlyMap<string, readonly string[]>;
  down: ReadonlyMap<string, readonly string[]>;
}

const nameOf = ({ tenant, pipeline_id }: { tenant?: string; pipeline_id?: string }) => JSON.stringify([tenant, pipeline_id]);

/** Puts the nodes of each pipeline together. What only configures them, its variables, is left out. */
export function withoutNodes({ nodes, edges }: Lineage): { nodes: LineageNode[]; edges: Ends[] } {
  const pipelines = new Map(nodes.filter((node) => node.type === "pipeline").map((node) => [nameOf(node), node.id]));
  const isLeft = (node: LineageNode) => node.type !== "processing" && node.type !== "variable";
  const place = new Map(nodes.map((node) => [node.id, isLeft(node) ? node.id : node.type === "processing" ? pipelines.get(nameOf(node)) : undefined]));
  const made = new Map<string, Ends>();
  for (const edge of edges) {
    const [from, to] = [place.get(edge.from), place.get(edge.to)];
    if (from !== undefined && to !== undefined && from !== to) made.set(JSON.stringify([from, to]), { from, to });
  }
  return { nodes: nodes.filter(isLeft), edges: [...made.values()] };
}

export function neighborsOf(edges: readonly Ends[]): Neighbors {
  const ends = (own: "from" | "to", other: "from" | "to") =>
    new Map([...groups(edges, (edge) => edge[own])].map(([id, all]) => [id, [...new Set(all.map((edge) => edge[other]))]]));
  return { up: ends("to", "from"), down: ends("from", "to") };
}

/** Returns everything that a node leads to in one direction, without itself. */
export function reach(start: string, next: ReadonlyMap<string, readonly string[]>): Set<string> {
  const found = new Set<string>();
  const open = [start];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const other of next.get(id) ?? []) {
      if (other === start || found.has(other)) continue;
      found.add(other);
      open.push(other);
    }
  }
  return found;
}

/** Returns the part of a graph with these nodes. */
export function part<E extends Ends>(graph: { nodes: LineageNode[]; edges: E[] }, ids: ReadonlySet<string>) {
  return {
    nodes: graph.nodes.filter((node) => ids.has(node.id)),
    edges: graph.edges.filter((edge) => ids.has(edge.from) && ids.has(edge.to)),
  };
}

// The lines of a drawing. Pure.

import type { EdgeDef, NodeStatus } from "../api/model";
import { groups } from "../groups";
import { NODE } from "./view";

interface Point {
  x: number;
  y: number;
}

/** Beyond so many, only those of the selected node are shown: more is a black area. */
const EDGES_MAX = 2000;

export function shownEdges(edges: EdgeDef[], selected: string | undefined): EdgeDef[] {
  if (edges.length <= EDGES_MAX) return edges;
  return edges.filter((edge) => edge.from === selected || edge.to === selected);
}

/** A line from the right side of one node to the left side of the other. */
export function edgePath(from: Point, to: Point): string {
  const [x, y] = [from.x + NODE.width, from.y + NODE.height / 2];
  const end = to.y + NODE.height / 2;
  const bend = Math.min(80, Math.max(24, (to.x - x) / 2));
  return `M${x} ${y}C${x + bend} ${y} ${to.x - bend} ${end} ${to.x} ${end}`;
}

/** One path for all nodes of each status, for a drawing seen from far away. */
export function farPaths(
  nodes: readonly { status?: NodeStatus }[],
  seen: readonly number[],
  at: (index: number) => Point,
): [string, string][] {
  const outline = (index: number) => {
    const { x, y } = at(index);
    return `M${x} ${y}h${NODE.width}v${NODE.height}h${-NODE.width}z`;
  };
  const byStatus = groups(seen, (index) => nodes[index]?.status ?? "none");
  return [...byStatus].map(([status, indexes]) => [status, indexes.map(outline).join("")]);
}

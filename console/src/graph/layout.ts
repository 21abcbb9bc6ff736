// Places the nodes of a graph: columns by longest path, rows by the middle of the neighbors. Pure.
//
// It has no nodes for the long edges: with 20,000 of them, those would be a hundred times the
// graph.

import { columns, links } from "./columns";
import { order } from "./order";

export interface Graph {
  count: number;
  edges: [number, number][];
}

export interface Layout {
  /** The column and the row of each node. Rows may be fractions. */
  x: Float32Array;
  y: Float32Array;
  columns: number;
  rows: number;
}

const ORDER_MS = 120;
const PULLS = 4;

export function layout(graph: Graph, now: () => number = () => performance.now()): Layout {
  const own = links(graph.count, graph.edges);
  const made = columns(own);
  order(made, own, ORDER_MS, now);
  const x = new Float32Array(graph.count);
  const y = new Float32Array(graph.count);
  made.forEach((column, index) => {
    const middle = (column.length - 1) / 2;
    column.forEach((node, row) => {
      x[node] = index;
      y[node] = row - middle;
    });
  });
  for (let pull = 0; pull < PULLS; pull += 1) {
    const isDown = pull % 2 === 0;
    for (const column of isDown ? made : [...made].reverse()) straighten(column, isDown ? own.up : own.down, y);
  }
  const least = y.reduce((one, other) => Math.min(one, other), 0);
  const rows = y.reduce((most, _, node) => Math.max(most, (y[node] = (y[node] ?? 0) - least)), 0);
  return { x, y, columns: made.length, rows: rows + 1 };
}

/** Moves the nodes of a column towards their neighbors, in their order and a row apart. */
function straighten(column: readonly number[], neighbors: readonly number[][], y: Float32Array): void {
  const wanted = column.map((node) => {
    const own = neighbors[node] ?? [];
    if (own.length === 0) return y[node] ?? 0;
    return own.reduce((sum, other) => sum + (y[other] ?? 0), 0) / own.length;
  });
  // Each block of touching nodes stands where its nodes want to be on average.
  const blocks: { sum: number; size: number }[] = [];
  const top = ({ sum, size }: { sum: number; size: number }) => sum / size - (size - 1) / 2;
  for (const want of wanted) {
    let block = { sum: want, size: 1 };
    for (let last = blocks.at(-1); last !== undefined && top(last) + last.size > top(block); last = blocks.at(-1)) {
      blocks.pop();
      block = { sum: last.sum + block.sum, size: last.size + block.size };
    }
    blocks.push(block);
  }
  let index = 0;
  for (const block of blocks) {
    for (let row = 0; row < block.size; row += 1) y[column[index++] as number] = top(block) + row;
  }
}

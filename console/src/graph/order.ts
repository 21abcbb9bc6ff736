// The order of the nodes within their columns: each moves to the middle of its neighbors, column by
// column, back and forth, for as long as there is time.

import type { Links } from "./columns";

const SWEEPS_MAX = 24;

export function order(columns: number[][], links: Links, budgetMs: number, now: () => number): void {
  const end = now() + budgetMs;
  const position: number[] = [];
  const number = (column: number[]) => {
    const middle = (column.length - 1) / 2;
    column.forEach((node, index) => {
      position[node] = index - middle;
    });
  };
  columns.forEach(number);
  for (let sweep = 0; sweep < SWEEPS_MAX && now() < end; sweep += 1) {
    const isDown = sweep % 2 === 0;
    const neighbors = isDown ? links.up : links.down;
    for (const column of isDown ? columns : [...columns].reverse()) {
      const wanted = new Map(column.map((node) => [node, middleOf(neighbors[node] ?? [], position, node)]));
      column.sort((one, other) => (wanted.get(one) ?? 0) - (wanted.get(other) ?? 0));
      number(column);
    }
  }
}

/** Returns the mean position of the neighbors, or its own place if it has none. */
function middleOf(neighbors: readonly number[], position: readonly number[], node: number): number {
  if (neighbors.length === 0) return position[node] ?? 0;
  let sum = 0;
  for (const neighbor of neighbors) sum += position[neighbor] ?? 0;
  return sum / neighbors.length;
}

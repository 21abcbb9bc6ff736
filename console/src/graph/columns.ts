// The column of each node: the longest path that leads to it.

export interface Links {
  /** The nodes that a node leads to, by index. */
  down: number[][];
  up: number[][];
}

export function links(count: number, edges: readonly (readonly [number, number])[]): Links {
  const down: number[][] = Array.from({ length: count }, () => []);
  const up: number[][] = Array.from({ length: count }, () => []);
  for (const [from, to] of edges) {
    down[from]?.push(to);
    up[to]?.push(from);
  }
  return { down, up };
}

/** Returns the nodes of each column. A circle, which no definition has, ends in column 0. */
export function columns({ down, up }: Links): number[][] {
  const open = up.map((own) => own.length);
  const depth = open.map(() => 0);
  const ready = open.flatMap((count, node) => (count === 0 ? [node] : []));
  for (let next = 0; next < ready.length; next += 1) {
    const node = ready[next] as number;
    for (const to of down[node] ?? []) {
      depth[to] = Math.max(depth[to] ?? 0, (depth[node] ?? 0) + 1);
      open[to] = (open[to] ?? 0) - 1;
      if (open[to] === 0) ready.push(to);
    }
  }
  const made: number[][] = Array.from({ length: Math.max(0, ...depth) + 1 }, () => []);
  depth.forEach((column, node) => made[column]?.push(node));
  return made;
}

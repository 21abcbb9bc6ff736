// The order in which the nodes of a pipeline stand beside one another: as the data flows. Pure.

import { columns, links } from "../../../graph/columns";

interface Ends {
  from: string;
  to: string;
}

export function flow(ids: readonly string[], edges: readonly Ends[]): string[] {
  const index = new Map(ids.map((id, at) => [id, at]));
  const pairs = edges.flatMap(({ from, to }): [number, number][] => {
    const [one, other] = [index.get(from), index.get(to)];
    return one === undefined || other === undefined ? [] : [[one, other]];
  });
  return columns(links(ids.length, pairs)).flat().map((at) => ids[at] as string);
}

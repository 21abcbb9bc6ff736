// A lineage as a table: each thing with what it comes from and what it leads to.

import type { LineageNode } from "../../api/lineage";
import { someOf } from "../../text/words";
import type { Neighbors } from "./graph";

interface Props {
  nodes: readonly LineageNode[];
  /** Those that are not shown, too. */
  all: readonly LineageNode[];
  neighbors: Neighbors;
  selected: string | undefined;
  onSelect(id: string): void;
}

const SOME = 6;

export function LineageTable({ nodes, all, neighbors, selected, onSelect }: Props) {
  const names = new Map(all.map((node) => [node.id, node.name]));
  const words = (ids: readonly string[] = []) => someOf(ids.flatMap((id) => names.get(id) ?? []), SOME) || "–";
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Lineage as a table">
      <table>
        <thead><tr><th>Name</th><th>Kind</th><th>Comes from</th><th>Leads to</th></tr></thead>
        <tbody>
          {nodes.map((node) => (
            <tr key={node.id} aria-selected={node.id === selected}>
              <td class="main-cell"><button type="button" class="plain link" data-row onClick={() => onSelect(node.id)}>{node.name}</button></td>
              <td class="faint">{node.type}</td>
              <td>{words(neighbors.up.get(node.id))}</td>
              <td>{words(neighbors.down.get(node.id))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

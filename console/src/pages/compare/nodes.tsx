// The nodes of two runs beside one another.

import type { NodeRun } from "../../api/model";
import { Status } from "../../parts/mark";
import { link } from "../../router/location";
import { durationOrDash } from "../../text/duration";
import { changeOf, type NodePair } from "./differences";

interface Props {
  nodes: readonly NodePair[];
  runs: readonly [string, string];
  selected: string | undefined;
  onSelect(id: string): void;
}

export function NodePairs({ nodes, runs, selected, onSelect }: Props) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Nodes of both runs">
      <table class="pairs-table">
        <thead>
          <tr><th>Node</th><th>Before</th><th>After</th><th class="number">Took</th><th class="number">Then</th><th class="number">Change</th><th class="number">Rows</th><th class="number">Then</th><th class="number">Change</th></tr>
        </thead>
        <tbody>
          {nodes.map(({ id, before, after, why }) => (
            <tr key={id} aria-selected={id === selected} class={why === undefined ? "" : "differs"}>
              <td class="main-cell"><button type="button" class="plain link" data-row onClick={() => onSelect(id)}>{id}</button>{why !== undefined && <p class="faint one-line">{why}</p>}</td>
              <td><Of node={before} run={runs[0]} id={id} /></td>
              <td><Of node={after} run={runs[1]} id={id} /></td>
              <td class="number">{durationOrDash(before?.duration_ms)}</td>
              <td class="number">{durationOrDash(after?.duration_ms)}</td>
              <td class="number faint">{changeOf(before?.duration_ms, after?.duration_ms)}</td>
              <td class="number">{before?.row_count?.toLocaleString("en-US") ?? "–"}</td>
              <td class="number">{after?.row_count?.toLocaleString("en-US") ?? "–"}</td>
              <td class="number faint">{changeOf(before?.row_count, after?.row_count)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Of({ node, run, id }: { node: NodeRun | undefined; run: string; id: string }) {
  if (node === undefined) return <span class="faint">–</span>;
  return <a href={link(["runs", run], { node: id })}><Status status={node.status} /></a>;
}

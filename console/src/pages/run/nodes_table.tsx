// The nodes of a run as a table: everything that the drawings show.

import type { RunDetail } from "../../api/model";
import { Status } from "../../parts/mark";
import { Time } from "../../parts/time";
import { durationOrDash } from "../../text/duration";

interface Props {
  run: RunDetail;
  selected: string | undefined;
  onSelect(node: string): void;
}

export function NodesTable({ run, selected, onSelect }: Props) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Nodes as a table">
      <table>
        <thead>
          <tr><th>Node</th><th>Status</th><th>Started</th><th class="number">Waited</th><th class="number">Took</th><th class="number">Attempt</th><th class="number">Rows</th></tr>
        </thead>
        <tbody>
          {run.node_runs.map((node) => (
            <tr key={node.node_id} aria-selected={node.node_id === selected}>
              <td><button type="button" class="plain link" data-row onClick={() => onSelect(node.node_id)}>{node.node_id}</button></td>
              <td><Status status={node.status} />{node.reused_from !== undefined && <span class="faint"> reused</span>}</td>
              <td><Time at={node.started_at} /></td>
              <td class="number">{durationOrDash(node.queue_ms)}</td>
              <td class="number">{durationOrDash(node.duration_ms)}</td>
              <td class="number">{node.attempt === 0 ? "–" : node.attempt}</td>
              <td class="number">{node.row_count?.toLocaleString("en-US") ?? "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

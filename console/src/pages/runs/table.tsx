// Runs as rows.

import type { Run } from "../../api/model";
import { Status } from "../../parts/mark";
import { Tenant } from "../../parts/tenant";
import { Time, Took } from "../../parts/time";
import { link } from "../../router/location";
import { pipelineLink } from "../../router/tenant";
import { shortId } from "../../text/words";

interface Props {
  runs: readonly Run[];
  chosen?: ReadonlySet<string>;
  onChoose?: (chosen: ReadonlySet<string>) => void;
}

export function RunsTable({ runs, chosen = new Set(), onChoose }: Props) {
  const toggle = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    onChoose?.(next);
  };
  const isAll = runs.length > 0 && runs.every((run) => chosen.has(run.id));
  const toggleAll = () => {
    const next = new Set(chosen);
    for (const { id } of runs) {
      if (isAll) next.delete(id);
      else next.add(id);
    }
    onChoose?.(next);
  };
  return (
    <table class="rows">
      <thead>
        <tr>
          {onChoose !== undefined && (
            <th class="choice">
              <input type="checkbox" aria-label="All of this page" checked={isAll} onChange={toggleAll} />
            </th>
          )}
          <th>Run</th><th>Status</th><th>Pipeline</th><th>Created</th><th class="number">Took</th><th class="wide-only">Trigger</th><th class="wide-only">Labels</th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <tr key={run.id}>
            {onChoose !== undefined && <td class="choice"><input type="checkbox" aria-label={`Choose ${shortId(run.id)}`} checked={chosen.has(run.id)} onChange={() => toggle(run.id)} /></td>}
            <td><a href={link(["runs", run.id])} data-row class="mono" title={run.id}>{shortId(run.id)}</a></td>
            <td><Status status={run.status} isCancelling={run.cancelling} />{run.error !== undefined && <p class="faint one-line" title={run.error}>{run.error}</p>}</td>
            <td><a href={pipelineLink(run.pipeline_id, run)}>{run.pipeline_id}</a><Tenant own={run} /></td>
            <td><Time at={run.created_at} /></td>
            <td class="number"><Took from={run.started_at} to={run.finished_at} /></td>
            <td class="wide-only">{run.trigger}{run.created_by !== undefined && <span class="faint"> {run.created_by}</span>}</td>
            <td class="wide-only">{Object.entries(run.labels ?? {}).map(([name, value]) => <span class="chip" key={name}>{name}:{value}</span>)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

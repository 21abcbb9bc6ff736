// The runs of a backfill as a table.

import type { BackfillUnit } from "../../api/backfills";
import type { Run, RunStatus } from "../../api/model";
import { Status } from "../../parts/mark";
import { Time, Took } from "../../parts/time";
import { link } from "../../router/location";
import { shortId } from "../../text/words";
import { cellsOf } from "./cells";

interface Props {
  runs: readonly Run[];
  statusOf(run: Run): RunStatus;
  unit: BackfillUnit;
  zone: string;
}

export function RunsOfBackfill({ runs, statusOf, unit, zone }: Props) {
  const cells = cellsOf(runs, unit, zone).flatMap(([, own]) => own);
  return (
    <table class="rows">
      <thead><tr><th>For</th><th>Run</th><th>Status</th><th>Started</th><th class="number">Took</th></tr></thead>
      <tbody>
        {cells.map(({ run, long }) => (
          <tr key={run.id}>
            <td class="number-text">{long}</td>
            <td><a href={link(["runs", run.id])} data-row class="mono" title={run.id}>{shortId(run.id)}</a></td>
            <td><Status status={statusOf(run)} /></td>
            <td><Time at={run.started_at} /></td>
            <td class="number">{run.status === statusOf(run) ? <Took from={run.started_at} to={run.finished_at} /> : <span class="faint">–</span>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

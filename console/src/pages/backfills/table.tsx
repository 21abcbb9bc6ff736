// Backfills as rows.

import type { Backfill } from "../../api/backfills";
import { Time, Took } from "../../parts/time";
import { link } from "../../router/location";
import { pipelineLink } from "../../router/tenant";
import { Progress } from "./progress";
import { BackfillStatus } from "./status";

export function rangeWords({ start_date, end_date }: Backfill): string {
  return start_date === end_date ? start_date : `${start_date} to ${end_date}`;
}

export function BackfillsTable({ backfills, isOfOne = false }: { backfills: readonly Backfill[]; isOfOne?: boolean }) {
  return (
    <table class="rows">
      <thead>
        <tr><th>Days</th>{!isOfOne && <th>Pipeline</th>}<th>Status</th><th>Progress</th><th>Created</th><th class="number">Took</th><th class="wide-only">Unit</th></tr>
      </thead>
      <tbody>
        {backfills.map((own) => (
          <tr key={own.id}>
            <td class="main-cell"><a href={link(["backfills", own.id])} data-row>{rangeWords(own)}</a>{own.rerun_of !== undefined && <span class="chip">repeats one</span>}</td>
            {!isOfOne && <td><a href={pipelineLink(own.pipeline_id, own)}>{own.pipeline_id}</a></td>}
            <td><BackfillStatus backfill={own} /></td>
            <td><Progress counts={own.counts} /></td>
            <td><Time at={own.created_at} /></td>
            <td class="number"><Took from={own.created_at} to={own.finished_at} /></td>
            <td class="wide-only">{own.unit}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

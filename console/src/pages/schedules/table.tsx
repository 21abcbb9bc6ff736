// Schedules as a table: what each means, its next times, and why it does not fire.

import type { ScheduleStatus } from "../../api/model";
import { Time } from "../../parts/time";
import { pipelineLink } from "../../router/tenant";
import { cronWords } from "../pipeline/cron_words";

export function SchedulesTable({ schedules }: { schedules: readonly ScheduleStatus[] }) {
  return (
    <table class="rows">
      <thead><tr><th>Pipeline</th><th>Schedule</th><th>Next times</th><th>State</th></tr></thead>
      <tbody>
        {schedules.map((own) => (
          <tr key={`${own.tenant ?? ""} ${own.pipeline_id}`}>
            <td class="main-cell"><a href={pipelineLink(own.pipeline_id, own, { view: "schedule" })} data-row>{own.pipeline_name}</a>{own.tenant !== undefined && <span class="chip">{own.tenant}</span>}</td>
            <td><code>{own.schedule}</code> <span class="faint">{cronWords(own.schedule)}, in {own.timezone}</span></td>
            <td>{(own.next_runs ?? []).map((time, at) => <span key={time}>{at > 0 && <span class="faint"> · </span>}<Time at={time} /></span>)}</td>
            <td>{stateOf(own)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function stateOf({ enabled, paused, skipped_reason }: ScheduleStatus) {
  if (paused !== undefined) return <span class="chip is-warning" title={paused.reason}>paused</span>;
  if (!enabled) return <span class="chip">off</span>;
  return skipped_reason === undefined ? "on" : <span class="chip is-warning">skipped: {skipped_reason}</span>;
}

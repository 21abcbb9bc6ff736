// When a pipeline runs by itself: its next times in its own zone and in that of the page.

import type { Pipeline, ScheduleStatus } from "../../api/model";
import { exact, tickTime, zoneName } from "../../text/time";
import { cronWords } from "./cron_words";

interface Props {
  pipeline: Pipeline;
  schedule: ScheduleStatus | undefined;
}

export function ScheduleView({ pipeline, schedule }: Props) {
  if (pipeline.schedule === undefined || pipeline.schedule === "") {
    return <p class="empty">The pipeline has no schedule. It runs when somebody starts it.</p>;
  }
  const timezone = schedule?.timezone ?? pipeline.schedule_timezone ?? "UTC";
  return (
    <section aria-label="Schedule">
      <p><code>{pipeline.schedule}</code> in {timezone}: {cronWords(pipeline.schedule)}</p>
      {!pipeline.enabled && <p class="notice">The schedule is off.</p>}
      {pipeline.paused !== undefined && <p class="notice">The pipeline is paused: its ticks create no run.</p>}
      {schedule?.skipped_reason !== undefined && <p class="notice">The latest tick created no run: {schedule.skipped_reason}.</p>}
      <table class="ticks">
        <thead><tr><th>Next runs in {timezone}</th><th>In {zoneName()}</th></tr></thead>
        <tbody>
          {(schedule?.next_runs ?? []).map((time) => (
            <tr key={time}><td>{tickTime(time, timezone)}</td><td title={exact(time)}>{tickTime(time, zoneName())}</td></tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

// The last day as lanes: one a pipeline, its runs where they were, waiting apart from running.

import type { Run } from "../../api/model";
import { groups } from "../../groups";
import { now } from "../../live/clock";
import { link } from "../../router/location";
import { pipelineLink, tenantOf } from "../../router/tenant";
import { duration } from "../../text/duration";
import { short } from "../../text/time";
import { qualified } from "../../tenants";

const LANES_MAX = 30;

export function Lanes({ runs, length }: { runs: readonly Run[]; length: number }) {
  const lanes = groups(runs, (run) => qualified(run.pipeline_id, run));
  if (lanes.size === 0) return null;
  // A lane moves by less than a pixel in a minute.
  const to = Math.ceil(now.value / 60_000) * 60_000;
  const from = to - length;
  const x = (time: number) => `${(100 * Math.min(1, Math.max(0, (time - from) / length))).toFixed(2)}%`;
  const shown = [...lanes].slice(0, LANES_MAX);
  return (
    <section aria-labelledby="lanes" class="timeline">
      <h2 id="lanes">The last 24 hours</h2>
      <div class="axis" aria-hidden="true">
        {[24, 18, 12, 6].map((hours) => <span key={hours} style={{ left: x(to - hours * 3600 * 1000) }}>{hours === 24 ? "24 h ago" : `${hours} h`}</span>)}
      </div>
      <ol>
        {shown.map(([name, own]) => (
          <li class="lane" key={name}>
            <LaneName run={own[0] as Run} />
            <span class="track">{own.map((run) => <LaneRun key={run.id} run={run} x={x} />)}</span>
          </li>
        ))}
      </ol>
      {lanes.size > LANES_MAX && <p class="faint">{lanes.size - LANES_MAX} more pipelines ran.</p>}
    </section>
  );
}

function LaneName({ run }: { run: Run }) {
  const { tenant } = tenantOf(run);
  const name = tenant === undefined ? run.pipeline_id : `${run.pipeline_id} of ${tenant}`;
  return <a class="lane-name" href={pipelineLink(run.pipeline_id, run)} title={name} data-row>{name}</a>;
}

function LaneRun({ run, x }: { run: Run; x(time: number): string }) {
  const created = Date.parse(run.created_at);
  const started = run.started_at === undefined ? undefined : Date.parse(run.started_at);
  const ended = run.finished_at === undefined ? now.value : Date.parse(run.finished_at);
  const took = started === undefined ? "has not started" : `took ${duration(ended - started)}`;
  const words = `${run.pipeline_id}, ${run.status}, ${short(run.created_at, now.value)}, ${took}`;
  const begin = started ?? ended;
  return (
    <>
      {begin - created > 60_000 && <span class="time-bar is-waiting" style={{ left: x(created), right: `calc(100% - ${x(begin)})` }} />}
      <a
        href={link(["runs", run.id])}
        class={`time-bar is-${run.status}`}
        style={{ left: `min(${x(begin)}, calc(100% - 4px))`, right: `max(0px, calc(100% - ${x(ended)} - 3px))` }}
        title={words}
        aria-label={words}
        tabIndex={-1}
      />
    </>
  );
}

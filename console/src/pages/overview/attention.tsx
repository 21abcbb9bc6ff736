// What somebody should look at: runs that failed and were not resumed, runs that wait for long, and
// schedules that skipped.

import type { Run } from "../../api/model";
import { now } from "../../live/clock";
import { useResource } from "../../live/resource";
import { schedulesSource } from "../../live/sources";
import { Mark } from "../../parts/mark";
import { Ago } from "../../parts/time";
import { link } from "../../router/location";
import { pipelineLink } from "../../router/tenant";
import { shortId, waitingSentence } from "../../text/words";
import { qualified } from "../../tenants";
import { unresolved } from "./unresolved";
import { useLongWaiting } from "./waiting";

const SHOWN_MAX = 8;

interface Props {
  runs: readonly Run[];
  open: readonly Run[];
}

export function Attention({ runs, open }: Props) {
  // Read once the figures are there: few look at them for the schedules.
  const schedules = useResource("schedules", schedulesSource);
  const failed = unresolved(runs);
  const waiting = useLongWaiting(open, now.value);
  const skipped = (schedules.data.value ?? []).filter((own) => own.skipped_reason !== undefined);
  const total = failed.length + waiting.length + skipped.length;
  return (
    <section aria-labelledby="attention">
      <h2 id="attention">Needs attention</h2>
      {total === 0 && <p class="faint">Nothing. No run has failed in 24 hours without a success after it.</p>}
      <ul class="cards">
        {failed.slice(0, SHOWN_MAX).map((run) => (
          <li key={run.id} class="card is-failed">
            <Mark status="failed" />
            <a href={link(["runs", run.id])} data-row>{run.pipeline_id}</a> failed <Ago at={run.finished_at ?? run.created_at} />
            {run.error !== undefined && <p class="one-line" title={run.error}>{run.error}</p>}
          </li>
        ))}
        {waiting.slice(0, SHOWN_MAX).map((run) => (
          <li key={run.id} class="card is-pending">
            <Mark status="pending" />
            <a href={link(["runs", run.id])} data-row>{run.pipeline_id}</a> waits since <Ago at={run.created_at} />
            <p class="one-line">{run.waiting === undefined ? shortId(run.id) : waitingSentence(run.waiting)}</p>
          </li>
        ))}
        {skipped.slice(0, SHOWN_MAX).map((own) => (
          <li key={qualified(own.pipeline_id, own)} class="card is-pending">
            <Mark status="skipped" />
            <a href={pipelineLink(own.pipeline_id, own, { view: "schedule" })} data-row>{own.pipeline_name}</a> skipped its latest tick
            <p class="one-line">{own.skipped_reason}</p>
          </li>
        ))}
      </ul>
      {failed.length > SHOWN_MAX && <p><a href={link(["runs"], { status: "failed" })}>All failed runs</a></p>}
      {waiting.length > SHOWN_MAX && <p><a href={link(["runs"], { status: "pending" })}>All waiting runs</a></p>}
    </section>
  );
}

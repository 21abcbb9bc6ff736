// The head of a run: what it is, how it ended, and what can be done with it.

import type { RunDetail } from "../../api/model";
import { Status } from "../../parts/mark";
import { Tenant } from "../../parts/tenant";
import { Time, Took } from "../../parts/time";
import { link } from "../../router/location";
import { pipelineLink } from "../../router/tenant";
import { shortId, waitingSentence } from "../../text/words";
import { Actions } from "./actions";
import type { Definition } from "./run";

interface Props {
  run: RunDetail;
  definition: Definition;
  onChange(): void;
}

export function RunHead({ run, definition, onChange }: Props) {
  return (
    <header class="object">
      <div class="object-title">
        <p class="path"><a href={pipelineLink(run.pipeline_id, run)}>{run.pipeline_id}</a> / run <Tenant own={run} /></p>
        <h1><span title={run.id}>{shortId(run.id)}</span> <Status status={run.status} isCancelling={run.cancelling} /></h1>
      </div>
      <Actions run={run} definition={definition} onChange={onChange} />
      <dl class="facts">
        <div><dt>Created</dt><dd><Time at={run.created_at} /> <span class="faint">{run.trigger}{run.created_by !== undefined && `, by ${run.created_by}`}</span></dd></div>
        <div><dt>Started</dt><dd><Time at={run.started_at} /></dd></div>
        <div><dt>Took</dt><dd><Took from={run.started_at} to={run.finished_at} /></dd></div>
        <div><dt>Version</dt><dd class="number">{run.pipeline_version}</dd></div>
        <Origin run={run} />
        <div><dt>Differs</dt><dd><a href={link(["runs", run.id, "compare"])}>Compare with the run before</a></dd></div>
      </dl>
      {run.waiting !== undefined && <p class="notice">{waitingSentence(run.waiting)}.{run.waiting.until !== undefined && <> Not before <Time at={run.waiting.until} />.</>}</p>}
      {run.cancel !== undefined && <CancelNotice run={run} />}
      {run.error !== undefined && <p class="error-text">{run.error}</p>}
    </header>
  );
}

function CancelNotice({ run }: { run: RunDetail }) {
  const { by, reason, force } = run.cancel ?? {};
  const what = run.status === "cancelled" ? "Cancelled" : "A cancel was requested";
  return <p class="notice">{what}{force === true && " by force"}{by !== undefined && ` by ${by}`}{reason !== undefined && `: ${reason}`}</p>;
}

function Origin({ run }: { run: RunDetail }) {
  const origins: [string, string | undefined][] = [
    ["Resumes", run.resumed_from],
    ["Repeats", run.rerun_of],
    ["Started by", run.upstream_run_id],
  ];
  return (
    <>
      {origins.map(([what, id]) => id !== undefined && (
        <div key={what}><dt>{what}</dt><dd><a href={link(["runs", id])} title={id}>{shortId(id)}</a></dd></div>
      ))}
      {run.backfill_id !== undefined && <div><dt>Backfill</dt><dd><a href={link(["backfills", run.backfill_id])} title={run.backfill_id}>{shortId(run.backfill_id)}</a></dd></div>}
    </>
  );
}

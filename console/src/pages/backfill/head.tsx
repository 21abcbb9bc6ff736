// The head of a backfill: what it is, how far it is, and what can be done with it.

import { useState } from "preact/hooks";
import { may } from "../../api/caller";
import type { Backfill } from "../../api/backfills";
import type { Pipeline } from "../../api/model";
import { Status } from "../../parts/mark";
import { Time, Took } from "../../parts/time";
import { link } from "../../router/location";
import { pipelineLink } from "../../router/tenant";
import { count, shortId } from "../../text/words";
import { Progress } from "../backfills/progress";
import { rangeWords } from "../backfills/table";
import { PauseDialog } from "../pipelines/pause";
import { CancelBackfill } from "./cancel";
import { RerunBackfill } from "./rerun";

interface Props {
  backfill: Backfill;
  pipeline: Pipeline | undefined;
  onChange(): void;
}

const UNITS = { day: "a run for each day", hour: "a run for each hour", week: "a run for each Monday", month: "a run for each first of a month", tick: "a run for each fire time" };

export function BackfillHead({ backfill, pipeline, onChange }: Props) {
  const { unit, order, max_parallel, max_failures, rerun_of } = backfill;
  return (
    <header class="object">
      <div class="object-title">
        <p class="path"><a href={link(["backfills"])}>Backfills</a> / <a href={pipelineLink(backfill.pipeline_id, backfill)}>{backfill.pipeline_id}</a></p>
        <h1><span>{rangeWords(backfill)}</span> <Status status={backfill.status} /></h1>
      </div>
      <Actions backfill={backfill} pipeline={pipeline} onChange={onChange} />
      <Progress counts={backfill.counts} />
      <dl class="facts">
        <div><dt>Created</dt><dd><Time at={backfill.created_at} /></dd></div>
        <div><dt>Took</dt><dd><Took from={backfill.created_at} to={backfill.finished_at} /></dd></div>
        <div><dt>What</dt><dd>{UNITS[unit]}, the {order === "asc" ? "oldest" : "newest"} first</dd></div>
        <div><dt>At once</dt><dd class="number">{max_parallel}</dd></div>
        {max_failures !== undefined && <div><dt>Stops after</dt><dd>{count(max_failures, "failure")}</dd></div>}
        {rerun_of !== undefined && <div><dt>Repeats</dt><dd><a href={link(["backfills", rerun_of])} title={rerun_of}>{shortId(rerun_of)}</a></dd></div>}
      </dl>
      {pipeline?.paused !== undefined && backfill.status === "running" && (
        <p class="notice">The pipeline is paused{pipeline.paused.reason !== undefined && `: ${pipeline.paused.reason}`}. The runs that have not started wait.</p>
      )}
    </header>
  );
}

type Open = "cancel" | "rerun" | "pause" | undefined;

function Actions({ backfill, pipeline, onChange }: Props) {
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  const done = () => {
    close();
    onChange();
  };
  const isRunning = backfill.status === "running";
  return (
    <div class="actions">
      {!isRunning && may("pipelines.run") && (
        <button type="button" class={backfill.counts.failed > 0 ? "is-main" : ""} onClick={() => setOpen("rerun")}>{backfill.status === "success" ? "Rerun…" : "Rerun failures…"}</button>
      )}
      {isRunning && pipeline !== undefined && may("pipelines.edit") && (
        <button type="button" onClick={() => setOpen("pause")} title="Its other runs wait, too">{pipeline.paused === undefined ? "Pause the pipeline…" : "Unpause the pipeline…"}</button>
      )}
      {isRunning && may("runs.cancel") && <button type="button" class="is-danger" onClick={() => setOpen("cancel")}>Cancel…</button>}
      {open === "cancel" && <CancelBackfill backfill={backfill} onClose={close} onDone={done} />}
      {open === "rerun" && <RerunBackfill backfill={backfill} onClose={close} />}
      {open === "pause" && pipeline !== undefined && <PauseDialog pipeline={pipeline} onClose={close} onDone={onChange} />}
    </div>
  );
}

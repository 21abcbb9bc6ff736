// The head of a backfill: what it is, how far it is, and what can be done with it.

import { useState } from "preact/hooks";
import { may } from "../../api/caller";
import { isOpen, type Backfill } from "../../api/backfills";
import type { Pipeline } from "../../api/model";
import { Time, Took } from "../../parts/time";
import { link } from "../../router/location";
import { pipelineLink } from "../../router/tenant";
import { count, shortId } from "../../text/words";
import { Progress } from "../backfills/progress";
import { BackfillStatus } from "../backfills/status";
import { rangeWords } from "../backfills/table";
import { CancelBackfill } from "./cancel";
import { PauseBackfill } from "./pause";
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
        <h1><span>{rangeWords(backfill)}</span> <BackfillStatus backfill={backfill} /></h1>
      </div>
      <Actions backfill={backfill} onChange={onChange} />
      <Progress counts={backfill.counts} />
      <dl class="facts">
        <div><dt>Created</dt><dd><Time at={backfill.created_at} /></dd></div>
        <div><dt>Took</dt><dd><Took from={backfill.created_at} to={backfill.finished_at} /></dd></div>
        <div><dt>What</dt><dd>{UNITS[unit]}, the {order === "asc" ? "oldest" : "newest"} first</dd></div>
        <div><dt>At once</dt><dd class="number">{max_parallel}</dd></div>
        {max_failures !== undefined && <div><dt>Stops after</dt><dd>{count(max_failures, "failure")}</dd></div>}
        {rerun_of !== undefined && <div><dt>Repeats</dt><dd><a href={link(["backfills", rerun_of])} title={rerun_of}>{shortId(rerun_of)}</a></dd></div>}
      </dl>
      {backfill.paused !== undefined && (
        <p class="notice">The backfill is paused{backfill.paused.reason !== undefined && `: ${backfill.paused.reason}`}. The runs that have not started wait.</p>
      )}
      {pipeline?.paused !== undefined && isOpen(backfill) && (
        <p class="notice">The pipeline is paused{pipeline.paused.reason !== undefined && `: ${pipeline.paused.reason}`}. The runs that have not started wait.</p>
      )}
    </header>
  );
}

type Open = "cancel" | "rerun" | "pause" | undefined;

function Actions({ backfill, onChange }: Omit<Props, "pipeline">) {
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  const done = () => {
    close();
    onChange();
  };
  const isUnfinished = isOpen(backfill);
  return (
    <div class="actions">
      {!isUnfinished && may("pipelines.run") && (
        <button type="button" class={backfill.counts.failed > 0 ? "is-main" : ""} onClick={() => setOpen("rerun")}>{backfill.status === "success" ? "Rerun…" : "Rerun failures…"}</button>
      )}
      {isUnfinished && may("pipelines.run") && (
        <button type="button" onClick={() => setOpen("pause")}>{backfill.paused === undefined ? "Pause…" : "Unpause…"}</button>
      )}
      {isUnfinished && may("runs.cancel") && <button type="button" class="is-danger" onClick={() => setOpen("cancel")}>Cancel…</button>}
      {open === "cancel" && <CancelBackfill backfill={backfill} onClose={close} onDone={done} />}
      {open === "rerun" && <RerunBackfill backfill={backfill} onClose={close} />}
      {open === "pause" && <PauseBackfill backfill={backfill} onClose={close} onDone={onChange} />}
    </div>
  );
}

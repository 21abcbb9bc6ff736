// A pipeline in the list.

import { useRef, useState } from "preact/hooks";
import { may } from "../../api/caller";
import type { PipelineSummary, ScheduleStatus } from "../../api/model";
import { useResource } from "../../live/resource";
import { gridSource } from "../../live/sources";
import { Marks } from "../../parts/marks";
import { More } from "../../parts/more";
import { Tenant } from "../../parts/tenant";
import { Time } from "../../parts/time";
import { useSeen } from "../../parts/visible";
import { setQuery } from "../../router/location";
import { pipelineLink } from "../../router/tenant";
import { qualified, type Owned } from "../../tenants";

const RUNS = 20;

interface Props {
  pipeline: PipelineSummary;
  schedule: ScheduleStatus | undefined;
  onChange(): void;
}

export function PipelineRow({ pipeline, schedule, onChange }: Props) {
  const row = useRef<HTMLTableRowElement>(null);
  const isSeen = useSeen(row);
  const [open, setOpen] = useState<"trigger" | "pause">();
  const close = () => setOpen(undefined);
  const { paused, enabled } = pipeline;
  return (
    <tr ref={row}>
      <td class="main-cell">
        <a href={pipelineLink(pipeline.id, pipeline)} data-row>{pipeline.name}</a>
        <Tenant own={pipeline} />
        {pipeline.owner !== undefined && <span class="faint"> {pipeline.owner}</span>}
        {paused !== undefined && <span class="chip is-warning" title={paused.reason}>paused</span>}
        {!enabled && <span class="chip">schedule off</span>}
        {pipeline.description !== "" && <p class="faint one-line">{pipeline.description}</p>}
      </td>
      <td>{isSeen && <LastRuns id={pipeline.id} own={pipeline} />}</td>
      <td class="next">{schedule?.next_run !== undefined && paused === undefined ? <><Time at={schedule.next_run} /><span class="faint cron"> {schedule.schedule}</span></> : <span class="faint">{schedule?.schedule ?? "–"}</span>}</td>
      <td class="wide-only">{pipeline.tags.map((tag) => <button type="button" class="chip" key={tag} onClick={() => setQuery({ tag })}>{tag}</button>)}</td>
      <td class="row-actions">
        {may("pipelines.run") && <button type="button" onClick={() => setOpen("trigger")} aria-label={`Run ${pipeline.name}`}>Run…</button>}
        {may("pipelines.edit") && <button type="button" onClick={() => setOpen("pause")} aria-label={`${paused === undefined ? "Pause" : "Unpause"} ${pipeline.name}`}>{paused === undefined ? "Pause…" : "Unpause…"}</button>}
        {open === "trigger" && <More show={({ TriggerDialog }) => <TriggerDialog id={pipeline.id} own={pipeline} onClose={close} />} />}
        {open === "pause" && <More show={({ PauseDialog }) => <PauseDialog pipeline={pipeline} onClose={close} onDone={onChange} />} />}
      </td>
    </tr>
  );
}

function LastRuns({ id, own }: { id: string; own: Owned }) {
  const grid = useResource(`grid ${qualified(id, own)}`, () => gridSource(id, RUNS, own));
  const runs = grid.data.value?.runs;
  if (runs === undefined) return null;
  return runs.length === 0 ? <span class="faint">no run yet</span> : <Marks runs={[...runs].reverse()} />;
}

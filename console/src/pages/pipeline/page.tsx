// A pipeline: its graph, its newest runs as a grid, its schedule and its definition.

import { useEffect, useState } from "preact/hooks";
import { may } from "../../api/caller";
import type { Pipeline } from "../../api/model";
import { watch } from "../../live/doorbell";
import { useResource, type Resource } from "../../live/resource";
import { GRID_EVENTS, gridSource, pipelineSource, schedulesByPipeline, schedulesSource } from "../../live/sources";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { Tabs, tabOf } from "../../parts/tabs";
import { link } from "../../router/location";
import { Markdown } from "../../text/markdown";
import { qualified } from "../../tenants";
import { LineageView } from "../lineage/view";
import { PauseDialog } from "../pipelines/pause";
import { TriggerDialog } from "../pipelines/trigger";
import { CalendarView } from "../calendar/view";
import { BackfillView } from "./backfill/view";
import { DefinitionView } from "./definition/view";
import { DryRunView } from "./dry_run/view";
import { PipelineGraph } from "./graph";
import { GridView } from "./grid";
import { ScheduleView } from "./schedule";

const TABS = [
  { id: "grid", title: "Grid" },
  { id: "graph", title: "Graph" },
  { id: "calendar", title: "Calendar" },
  { id: "schedule", title: "Schedule" },
  { id: "backfill", title: "Backfill" },
  { id: "dry-run", title: "Dry run" },
  { id: "lineage", title: "Lineage" },
  { id: "definition", title: "Definition" },
] as const;

const RUNS = 50;

export function PipelinePage({ id }: { id: string }) {
  useEffect(() => watch({ pipeline_id: id, types: GRID_EVENTS }), [id]);
  const pipeline = useResource(`pipeline ${id}`, () => pipelineSource(id));
  const own = pipeline.data.value;
  const grid = useResource(`grid ${own?.id ?? id}`, () => gridSource(own?.id ?? id, RUNS, own));
  const schedules = useResource("schedules", schedulesSource);
  if (own === undefined) {
    const problem = pipeline.problem.value;
    return problem === undefined ? <Loading /> : <ProblemBox problem={problem} onRetry={() => pipeline.refresh()} />;
  }
  const tab = tabOf("view", TABS);
  const schedule = schedulesByPipeline(schedules.data.value).get(qualified(own.id, own));
  return (
    <article>
      <Head pipeline={own} resource={pipeline} />
      <div class="bar"><Tabs name="view" label="What is shown of the pipeline" tabs={TABS} /></div>
      {tab === "grid" && <GridView grid={grid.data.value} problem={grid.problem.value} />}
      {tab === "graph" && <PipelineGraph pipeline={own} grid={grid.data.value} />}
      {tab === "calendar" && <CalendarView pipeline={own.id} />}
      {tab === "schedule" && <ScheduleView pipeline={own} schedule={schedule} />}
      {tab === "backfill" && <BackfillView pipeline={own} />}
      {tab === "dry-run" && <DryRunView pipeline={own} />}
      {tab === "lineage" && <LineageView around={own} />}
      {tab === "definition" && <DefinitionView pipeline={own} onChange={() => pipeline.refresh()} />}
    </article>
  );
}

function Head({ pipeline, resource }: { pipeline: Pipeline; resource: Resource<Pipeline> }) {
  const [open, setOpen] = useState<"trigger" | "pause">();
  const { paused } = pipeline;
  const close = () => setOpen(undefined);
  return (
    <header class="object">
      <div class="object-title">
        <p class="path"><a href={link(["pipelines"])}>Pipelines</a></p>
        <h1>
          {pipeline.name}
          {paused !== undefined && <span class="chip is-warning" title={paused.reason}>paused</span>}
          {!pipeline.enabled && <span class="chip">schedule off</span>}
        </h1>
      </div>
      <div class="actions">
        {may("pipelines.run") && <button type="button" class="is-main" onClick={() => setOpen("trigger")}>Run…</button>}
        {may("pipelines.edit") && <button type="button" onClick={() => setOpen("pause")}>{paused === undefined ? "Pause…" : "Unpause…"}</button>}
      </div>
      {pipeline.description !== "" && <p class="faint">{pipeline.description}</p>}
      <dl class="facts">
        <div><dt>Id</dt><dd>{pipeline.id}</dd></div>
        <div><dt>Version</dt><dd class="number">{pipeline.version}</dd></div>
        {pipeline.owner !== undefined && <div><dt>Owner</dt><dd>{pipeline.owner}</dd></div>}
        <div><dt>Managed by</dt><dd>{pipeline.managed}</dd></div>
        <div><dt>Runs</dt><dd><a href={link(["runs"], { pipeline_id: pipeline.id })}>All of its runs</a></dd></div>
      </dl>
      {pipeline.docs !== undefined && pipeline.docs !== "" && <details><summary>Documentation</summary><Markdown text={pipeline.docs} /></details>}
      {open === "trigger" && <TriggerDialog id={pipeline.id} own={pipeline} onClose={close} />}
      {open === "pause" && <PauseDialog pipeline={pipeline} onClose={close} onDone={() => resource.refresh()} />}
    </header>
  );
}

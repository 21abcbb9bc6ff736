// A backfill: how far it is, and each of its runs.

import { useEffect } from "preact/hooks";
import { ask } from "../../api/client";
import type { Backfill } from "../../api/backfills";
import type { Pipeline, Run } from "../../api/model";
import { watch } from "../../live/doorbell";
import { useResource, type Source } from "../../live/resource";
import { RUN_EVENTS } from "../../live/sources";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { Tabs, tabOf } from "../../parts/tabs";
import { pathOf } from "../../router/path";
import { BackfillHead } from "./head";
import { newest, useRuns } from "./runs";
import { Strip } from "./strip";
import { RunsOfBackfill } from "./table";

const TABS = [
  { id: "strip", title: "Strip" },
  { id: "table", title: "Table" },
] as const;

function sourceOf(id: string): Source<Backfill> {
  let own: ReadonlySet<string> | undefined;
  return {
    async read(signal) {
      const answer = await ask<Backfill>(pathOf("backfills", id), { signal });
      own = new Set(answer.data.run_ids);
      return answer;
    },
    // What happens while the runs are not known yet may be newer than the first answer.
    concerns: (event) => own?.has(event.run_id) ?? true,
  };
}

export function BackfillPage({ id }: { id: string }) {
  useEffect(() => watch({ types: RUN_EVENTS }), []);
  const resource = useResource(`backfill ${id}`, () => sourceOf(id));
  const backfill = resource.data.value;
  const problem = resource.problem.value;
  if (backfill === undefined) {
    return problem === undefined ? <Loading /> : <ProblemBox problem={problem} onRetry={() => resource.refresh()} />;
  }
  return (
    <article>
      {problem !== undefined && <ProblemBox problem={problem} onRetry={() => resource.refresh()} />}
      <Shown backfill={backfill} onChange={() => resource.refresh()} />
    </article>
  );
}

function Shown({ backfill, onChange }: { backfill: Backfill; onChange(): void }) {
  const { pipeline_id, tenant } = backfill;
  const pipeline = useResource<Pipeline>(`pipeline ${pipeline_id}`, () => ({
    read: (signal) => ask<Pipeline>(pathOf("pipelines", pipeline_id), { query: { tenant }, signal }),
  }));
  const { list, known } = useRuns(backfill);
  const statusOf = (run: Run) => newest(run, known.value);
  const runs = list.data.value;
  const tab = tabOf("view", TABS);
  const shared = { statusOf, unit: backfill.unit, zone: pipeline.data.value?.schedule_timezone ?? "UTC" };
  const change = () => {
    onChange();
    pipeline.refresh();
  };
  return (
    <>
      <BackfillHead backfill={backfill} pipeline={pipeline.data.value} onChange={change} />
      <div class="bar"><Tabs name="view" label="How the runs are shown" tabs={TABS} /></div>
      {list.problem.value !== undefined && <ProblemBox problem={list.problem.value} onRetry={() => list.refresh()} />}
      {runs === undefined && list.problem.value === undefined && <Loading />}
      {runs?.length === 0 && <p class="empty">Its runs were purged.</p>}
      {runs !== undefined && runs.length > 0 && tab === "strip" && <Strip runs={runs} {...shared} />}
      {runs !== undefined && runs.length > 0 && tab === "table" && <RunsOfBackfill runs={runs} {...shared} />}
    </>
  );
}

// All pipelines: their last runs as marks, their next run, and what can be done with them.

import { useEffect } from "preact/hooks";
import { ask } from "../../api/client";
import type { PageOf, PipelineSummary, Run } from "../../api/model";
import { watch } from "../../live/doorbell";
import { useResource } from "../../live/resource";
import { RUN_EVENTS, schedulesByPipeline, schedulesSource } from "../../live/sources";
import { FilterBox, matches } from "../../parts/filter";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { here, setQuery } from "../../router/location";
import { count } from "../../text/words";
import { qualified } from "../../tenants";
import { PipelineRow } from "./row";

const PAGE = 100;
/** Lists of more pipelines are searched with the palette. */
const PAGES_MAX = 10;

async function readAll(signal: AbortSignal) {
  const found: PipelineSummary[] = [];
  let after: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { data } = await ask<PageOf<PipelineSummary>>("pipelines", { query: { limit: PAGE, after }, signal });
    found.push(...data.items);
    after = data.cursor;
    if (!data.has_next || after === undefined) break;
  }
  found.sort((one, other) => one.name.localeCompare(other.name));
  return { data: found, seq: Number.NaN };
}

export function PipelinesPage() {
  useEffect(() => watch({ types: RUN_EVENTS }), []);
  const list = useResource<PipelineSummary[]>("pipelines", () => ({ read: readAll }));
  const schedules = useResource("schedules", schedulesSource);
  // The list itself has no number of an event to follow from.
  useResource<PageOf<Run>>("newest", () => ({ read: (signal) => ask<PageOf<Run>>("runs", { query: { limit: 1 }, signal }) }));
  const all = list.data.value;
  if (all === undefined) {
    const problem = list.problem.value;
    return problem === undefined ? <Loading /> : <ProblemBox problem={problem} onRetry={() => list.refresh()} />;
  }
  const query = here.value.query;
  const tag = query.get("tag");
  const shown = all.filter(
    (own) => matches(query.get("q"), own.name, own.id, own.description) && (tag === null || own.tags.includes(tag)),
  );
  const next = schedulesByPipeline(schedules.data.value);
  return (
    <section aria-labelledby="pipelines-title">
      <div class="bar">
        <h1 id="pipelines-title">Pipelines</h1>
        <FilterBox name="q" label="Filter by name" />
        {tag !== null && <button type="button" class="chip" onClick={() => setQuery({ tag: undefined })}>{tag} ✕</button>}
        <span class="faint">{shown.length === all.length ? count(all.length, "pipeline") : `${shown.length} of ${count(all.length, "pipeline")}`}</span>
      </div>
      {all.length === 0 && <Empty />}
      {all.length > 0 && shown.length === 0 && (
        <p class="empty">No pipeline matches. <button type="button" onClick={() => setQuery({ q: undefined, tag: undefined })}>Show all</button></p>
      )}
      {shown.length > 0 && (
        <table class="rows">
          <thead><tr><th>Pipeline</th><th>Last runs</th><th>Next run</th><th class="wide-only">Tags</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
          <tbody>
            {shown.map((own) => (
              <PipelineRow key={qualified(own.id, own)} pipeline={own} schedule={next.get(qualified(own.id, own))} onChange={() => list.refresh()} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Empty() {
  return (
    <div class="empty">
      <p>There is no pipeline yet.</p>
      <p class="faint">The host adds pipelines in its code, and <code>POST /api/pipelines</code> adds more.</p>
    </div>
  );
}

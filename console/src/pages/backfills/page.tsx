// The newest backfills of all pipelines, or all of those of one.

import { useEffect } from "preact/hooks";
import { ask } from "../../api/client";
import type { Backfill } from "../../api/backfills";
import type { PageOf } from "../../api/model";
import { watch } from "../../live/doorbell";
import { useResource, type Source } from "../../live/resource";
import { RUN_EVENTS } from "../../live/sources";
import { Loading } from "../../parts/loading";
import { PipelineFilter } from "../../parts/pipeline_filter";
import { ProblemBox } from "../../parts/problem";
import { here, link, setQuery } from "../../router/location";
import { pathOf } from "../../router/path";
import { narrowedTo, pipelineLink } from "../../router/tenant";
import { EACH, recentSource } from "./recent";
import { BackfillsTable } from "./table";

interface Shown {
  items: Backfill[];
  cursor?: string;
}

function sourceOf(pipeline: string | undefined, after: string | undefined): Source<Shown> {
  if (pipeline === undefined) {
    const { concerns, read } = recentSource();
    return { concerns, read: async (signal) => {
      const { data, seq } = await read(signal);
      return { data: { items: data }, seq };
    } };
  }
  return {
    concerns: (event) => event.pipeline_id === pipeline,
    read: (signal) => ask<PageOf<Backfill>>(pathOf("pipelines", pipeline, "backfills"), { query: { limit: EACH, after, tenant: narrowedTo() }, signal }),
  };
}

export function BackfillsPage() {
  useEffect(() => watch({ types: RUN_EVENTS }), []);
  const query = here.value.query;
  const pipeline = query.get("pipeline_id") ?? undefined;
  const after = query.get("after") ?? undefined;
  const list = useResource(`backfills ${pipeline} ${after} ${narrowedTo()}`, () => sourceOf(pipeline, after));
  const shown = list.data.value;
  const problem = list.problem.value;
  return (
    <section aria-labelledby="backfills-title">
      <div class="bar">
        <h1 id="backfills-title">Backfills</h1>
        <PipelineFilter place="backfills" />
      </div>
      {problem !== undefined && <ProblemBox problem={problem} onRetry={() => list.refresh()} />}
      {shown === undefined && problem === undefined && <Loading />}
      {shown?.items.length === 0 && <Empty pipeline={pipeline} />}
      {shown !== undefined && shown.items.length > 0 && <BackfillsTable backfills={shown.items} isOfOne={pipeline !== undefined} />}
      <nav class="row" aria-label="Pages">
        {after !== undefined && <button type="button" onClick={() => setQuery({ after: undefined }, "push")}>Newest</button>}
        {shown?.cursor !== undefined && <button type="button" onClick={() => setQuery({ after: shown.cursor }, "push")}>Older</button>}
        {pipeline === undefined && (shown?.items.length ?? 0) > 0 && <span class="faint">The newest {EACH} of each pipeline. The filter shows all of one.</span>}
      </nav>
    </section>
  );
}

function Empty({ pipeline }: { pipeline: string | undefined }) {
  return (
    <div class="empty">
      <p>{pipeline === undefined ? "There is no backfill yet." : "This pipeline has no backfill yet."} It makes a run for each day of the past that you choose.</p>
      <p>
        {pipeline === undefined
          ? <a href={link(["pipelines"])}>Choose a pipeline</a>
          : <a href={pipelineLink(pipeline, { tenant: narrowedTo() }, { view: "backfill" })}>Choose its days</a>}
      </p>
    </div>
  );
}

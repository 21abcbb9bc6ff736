// All runs, narrowed by filters that are in the address.

import { useEffect, useState } from "preact/hooks";
import { may } from "../../api/caller";
import { ask } from "../../api/client";
import type { PageOf, Run } from "../../api/model";
import { watch } from "../../live/doorbell";
import { useResource } from "../../live/resource";
import { RUN_EVENTS } from "../../live/sources";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { here, link, setQuery } from "../../router/location";
import { BulkBar } from "./bulk";
import { Filters } from "./filters";
import { filterOf, isFiltered } from "./query";
import { RunsTable } from "./table";

const PAGE = 50;

export function RunsPage() {
  useEffect(() => watch({ types: RUN_EVENTS }), []);
  const query = here.value.query;
  const filter = filterOf(query);
  const after = query.get("after") ?? undefined;
  const list = useResource<PageOf<Run>>(`runs ${JSON.stringify(filter)} ${after}`, () => ({
    read: (signal) => ask<PageOf<Run>>("runs", { query: { ...filter, after, limit: PAGE }, signal }),
    concerns: () => true,
  }));
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const page = list.data.value;
  const problem = list.problem.value;
  const canSelect = may("runs.cancel") || may("pipelines.run");
  return (
    <section aria-labelledby="runs-title">
      <div class="bar"><h1 id="runs-title">Runs</h1><Filters /></div>
      {problem !== undefined && <ProblemBox problem={problem} onRetry={() => list.refresh()} />}
      {page === undefined && problem === undefined && <Loading />}
      {page !== undefined && (
        <>
          {chosen.size > 0 && <BulkBar chosen={chosen} onDone={() => { setChosen(new Set()); list.refresh(); }} onClear={() => setChosen(new Set())} />}
          {page.items.length === 0 ? <Nothing /> : <RunsTable runs={page.items} chosen={chosen} onChoose={canSelect ? setChosen : undefined} />}
          <nav class="row" aria-label="Pages">
            {after !== undefined && <button type="button" onClick={() => setQuery({ after: undefined }, "push")}>Newest</button>}
            {page.has_next && page.cursor !== undefined && (
              <button type="button" onClick={() => setQuery({ after: page.cursor }, "push")}>Older</button>
            )}
          </nav>
        </>
      )}
    </section>
  );
}

function Nothing() {
  if (!isFiltered(here.value.query)) {
    return <div class="empty"><p>There is no run yet.</p><p><a href={link(["pipelines"])}>Start one from a pipeline</a></p></div>;
  }
  return <p class="empty">No run matches. <a href={link(["runs"])}>Show all runs</a></p>;
}

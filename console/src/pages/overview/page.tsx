// What needs attention first, then what runs, then the last day.

import { useEffect } from "preact/hooks";
import { ask } from "../../api/client";
import type { Dashboard, PageOf, Run } from "../../api/model";
import { watch } from "../../live/doorbell";
import { useResource } from "../../live/resource";
import { RUN_EVENTS, schedulesSource } from "../../live/sources";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { Tenant } from "../../parts/tenant";
import { link } from "../../router/location";
import { tenantOf } from "../../router/tenant";
import { qualified } from "../../tenants";
import { Attention } from "./attention";
import { Figures } from "./figures";
import { Lanes } from "./lanes";
import { Running } from "./running";

const DAY_MS = 24 * 3600 * 1000;
/** More runs of a day than these are a band of color: the lanes show the newest. */
const PAGES_MAX = 4;

async function readDay(signal: AbortSignal) {
  const from = new Date(Date.now() - DAY_MS).toISOString();
  const runs: Run[] = [];
  let after: string | undefined;
  let seq = Number.NaN;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer = await ask<PageOf<Run>>("runs", { query: { from, after, limit: 100 }, signal });
    runs.push(...answer.data.items);
    seq = page === 0 ? answer.seq : seq;
    after = answer.data.cursor;
    if (!answer.data.has_next || after === undefined) break;
  }
  return { data: runs, seq };
}

export function OverviewPage() {
  useEffect(() => watch({ types: RUN_EVENTS }), []);
  const dashboard = useResource<Dashboard>("dashboard", () => ({
    read: (signal) => ask<Dashboard>("dashboard", { signal }),
    concerns: () => true,
  }));
  const day = useResource<Run[]>("day", () => ({ read: readDay, concerns: () => true }));
  const open = useResource<PageOf<Run>>("open", () => ({
    read: (signal) => ask<PageOf<Run>>("runs", { query: { status: ["pending", "running"], limit: 20 }, signal }),
    concerns: () => true,
  }));
  const schedules = useResource("schedules", schedulesSource);
  const figures = dashboard.data.value;
  const problem = dashboard.problem.value;
  if (figures === undefined) {
    return problem === undefined ? <Loading /> : <ProblemBox problem={problem} onRetry={() => dashboard.refresh()} />;
  }
  return (
    <div class="overview">
      <h1 class="visually-hidden">Overview</h1>
      {problem !== undefined && <ProblemBox problem={problem} onRetry={() => dashboard.refresh()} />}
      <Figures figures={figures} />
      <Attention runs={day.data.value ?? []} open={open.data.value?.items ?? []} schedules={schedules.data.value ?? []} />
      <Running runs={open.data.value?.items ?? []} />
      <Lanes runs={day.data.value ?? []} length={DAY_MS} />
      {figures.top_failing.length > 0 && (
        <section aria-labelledby="failing">
          <h2 id="failing">Most failures in seven days</h2>
          <ol class="plain-list">
            {figures.top_failing.map((own) => (
              <li key={qualified(own.pipeline_id, own)}><span><a href={link(["runs"], { ...tenantOf(own), pipeline_id: own.pipeline_id, status: "failed" })}>{own.name}</a> <Tenant own={own} /></span> <span class="number">{own.fail_count}</span></li>
            ))}
          </ol>
        </section>
      )}
    </div>
  );
}

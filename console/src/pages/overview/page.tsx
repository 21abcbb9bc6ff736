// What needs attention first, then what runs, then the last day.

import { useEffect } from "preact/hooks";
import { ask } from "../../api/client";
import type { Dashboard } from "../../api/model";
import { watch } from "../../live/doorbell";
import { useResource } from "../../live/resource";
import { RUN_EVENTS } from "../../live/sources";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { Tenant } from "../../parts/tenant";
import { link } from "../../router/location";
import { tenantOf } from "../../router/tenant";
import { qualified } from "../../tenants";
import { Attention } from "./attention";
import { DAY_MS, useDay } from "./day";
import { Figures } from "./figures";
import { Lanes } from "./lanes";
import { Running } from "./running";

export function OverviewPage() {
  useEffect(() => watch({ types: RUN_EVENTS }), []);
  const dashboard = useResource<Dashboard>("dashboard", () => ({
    read: (signal) => ask<Dashboard>("dashboard", { signal }),
    concerns: () => true,
  }));
  const figures = dashboard.data.value;
  const day = useDay(figures?.recent_runs);
  const problem = dashboard.problem.value;
  if (figures === undefined) {
    return problem === undefined ? <Loading /> : <ProblemBox problem={problem} onRetry={() => dashboard.refresh()} />;
  }
  return (
    <div class="overview">
      <h1 class="visually-hidden">Overview</h1>
      {problem !== undefined && <ProblemBox problem={problem} onRetry={() => dashboard.refresh()} />}
      <Figures figures={figures} />
      <Attention runs={day} open={figures.open_runs} />
      <Running runs={figures.open_runs} />
      <Lanes runs={day} length={DAY_MS} />
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

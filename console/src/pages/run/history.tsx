// What a node did in the newest runs of its pipeline: its duration and its rows, the newest at the
// right.

import { ask } from "../../api/client";
import type { NodeHistory, NodeRun, RunDetail } from "../../api/model";
import { useResource } from "../../live/resource";
import { Column } from "../../parts/column";
import { here, link } from "../../router/location";
import { pathOf } from "../../router/path";
import { tenantOf } from "../../router/tenant";
import { duration } from "../../text/duration";

const RUNS = 20;
const HEIGHT = 36;

export function HistoryView({ run, node }: { run: RunDetail; node: NodeRun }) {
  const path = pathOf("pipelines", run.pipeline_id, "nodes", node.node_id, "history");
  const resource = useResource<NodeHistory[]>(path, () => ({
    read: (signal) => ask<NodeHistory[]>(path, { query: { runs: RUNS, ...tenantOf(run) }, signal }),
    concerns: (event) => event.node_id === node.node_id && event.type !== "log" && event.type !== "node.started",
  }));
  const history = resource.data.value;
  if (history === undefined || history.length < 2) return null;
  const runs = [...history].reverse();
  const shown = Object.fromEntries([...here.value.query].filter(([name]) => name === "panel" || name === "view"));
  const longest = Math.max(1, ...runs.map((own) => own.duration_ms ?? 0));
  return (
    <section aria-label="In the newest runs">
      <h3>In the newest runs <span class="faint">at most {duration(longest)}</span></h3>
      <div class="history">
        {runs.map((own) => {
          const took = own.duration_ms === undefined ? "" : `, ${duration(own.duration_ms)}`;
          const rows = own.row_count === undefined ? "" : `, ${own.row_count.toLocaleString("en-US")} rows`;
          const words = `${own.status}${took}${rows}`;
          const href = link(["runs", own.run_id], { ...shown, node: node.node_id });
          return (
            <Column
              key={own.run_id}
              status={own.status}
              href={href}
              words={words}
              ms={own.duration_ms}
              longest={longest}
              room={HEIGHT}
              isOwn={own.run_id === run.id}
            />
          );
        })}
      </div>
    </section>
  );
}

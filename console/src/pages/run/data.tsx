// The first rows of the output of a node, as a table.

import { ask } from "../../api/client";
import type { NodeRun, Preview, RunDetail } from "../../api/model";
import { useResource } from "../../live/resource";
import { Rows } from "../../parts/cells";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { pathOf } from "../../router/path";
import { count } from "../../text/words";
import { ProfileView } from "./profile";

export function DataView({ run, node }: { run: RunDetail; node: NodeRun }) {
  const source = node.reused_from ?? run.id;
  const resource = useResource<Preview>(`${source} ${node.node_id} ${node.status}`, () => ({
    read: (signal) => ask<Preview>(pathOf("runs", source, "nodes", node.node_id, "preview"), { signal }),
  }));
  const { data, problem } = { data: resource.data.value, problem: resource.problem.value };
  if (problem?.status === 404) return <p class="faint">The node has no output to show: it has not succeeded, or it returned nothing.</p>;
  if (problem !== undefined) return <ProblemBox problem={problem} onRetry={() => resource.refresh()} />;
  if (data === undefined) return <Loading />;
  return (
    <>
      <p class="faint">
        {count(data.row_count, "row")}, {count(data.columns.length, "column")}
        {data.rows.length < data.row_count && `. These are the first ${data.rows.length}`}
        {data.truncated && data.rows.length === data.row_count && ". Long cells are cut"}
      </p>
      <Rows columns={data.columns} rows={data.rows} label="First rows" />
      <ProfileView run={source} node={node.node_id} />
    </>
  );
}

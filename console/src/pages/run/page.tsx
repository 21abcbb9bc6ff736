// A run: what it does, where its time went, and each of its nodes.

import { useEffect, useMemo } from "preact/hooks";
import { ask } from "../../api/client";
import type { EdgeDef, Pipeline, RunDetail } from "../../api/model";
import { watch } from "../../live/doorbell";
import { useResource } from "../../live/resource";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { here, setQuery } from "../../router/location";
import { pathOf } from "../../router/path";
import { tenantOf } from "../../router/tenant";
import { RunHead } from "./head";
import { NodePanel } from "./node_panel";
import { Nodes } from "./nodes";
import { applyEvent, type Definition } from "./run";
import { RunPanel } from "./run_panel";

const NO_EDGES: EdgeDef[] = [];

function useDefinition(run: RunDetail | undefined): Definition {
  const name = run === undefined ? "" : `${run.pipeline_id} ${run.pipeline_version}`;
  const resource = useResource<Pipeline | undefined>(name, () => ({
    read: async (signal) => {
      if (run === undefined) return { data: undefined, seq: Number.NaN };
      const path = pathOf("pipelines", run.pipeline_id, "versions", String(run.pipeline_version));
      return ask<Pipeline>(path, { query: tenantOf(run), signal });
    },
  }));
  // A run outlives its pipeline. Its nodes are then shown without their edges.
  const found = resource.data.value;
  const isSettled = found !== undefined || resource.problem.value !== undefined;
  return useMemo(
    () => ({ edges: found?.edges ?? NO_EDGES, nodes: new Map(found?.nodes.map((node) => [node.id, node])), isSettled }),
    [found, isSettled],
  );
}

export function RunPage({ id }: { id: string }) {
  useEffect(() => watch({ run_id: id }), [id]);
  const resource = useResource<RunDetail>(`run ${id}`, () => ({
    read: (signal) => ask<RunDetail>(pathOf("runs", id), { signal }),
    concerns: (event) => event.run_id === id && event.type !== "log",
    apply: applyEvent,
  }));
  const run = resource.data.value;
  const definition = useDefinition(run);
  const selected = here.value.query.get("node") ?? undefined;
  const problem = resource.problem.value;
  if (run === undefined) {
    return problem === undefined ? <Loading /> : <ProblemBox problem={problem} onRetry={() => resource.refresh()} />;
  }
  const select = (node: string) => setQuery({ node: node === selected ? undefined : node, panel: undefined }, "push");
  const node = run.node_runs.find((own) => own.node_id === selected);
  return (
    <article class="run">
      {problem !== undefined && <ProblemBox problem={problem} onRetry={() => resource.refresh()} />}
      <RunHead run={run} definition={definition} onChange={() => resource.refresh()} />
      <div class={`split${node === undefined ? "" : " has-panel"}`}>
        <Nodes run={run} definition={definition} selected={selected} onSelect={select} />
        {node !== undefined && <NodePanel run={run} node={node} definition={definition.nodes.get(node.node_id)} />}
      </div>
      {node === undefined && <RunPanel run={run} />}
    </article>
  );
}

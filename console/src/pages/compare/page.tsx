// Two runs beside one another: a run, and an earlier one, by default the one before it.

import { useEffect } from "preact/hooks";
import { ask } from "../../api/client";
import type { PageOf, Run, RunDetail } from "../../api/model";
import { watch } from "../../live/doorbell";
import { useResource } from "../../live/resource";
import { RUN_EVENTS } from "../../live/sources";
import { Loading } from "../../parts/loading";
import { Status } from "../../parts/mark";
import { ProblemBox } from "../../parts/problem";
import { Time, Took } from "../../parts/time";
import { go, here, link, setQuery } from "../../router/location";
import { pathOf } from "../../router/path";
import { pipelineLink } from "../../router/tenant";
import { short } from "../../text/time";
import { shortId } from "../../text/words";
import { nodePairs, pairs, type Pair } from "./differences";
import { NodePairs } from "./nodes";
import { Profiles } from "./profiles";

const RUNS = 50;

function useRun(id: string | undefined) {
  return useResource<RunDetail | undefined>(`run ${id}`, () => ({
    read: async (signal) => (id === undefined ? { data: undefined, seq: Number.NaN } : ask<RunDetail>(pathOf("runs", id), { signal })),
    concerns: (event) => event.run_id === id && event.type !== "log",
  }));
}

export function ComparePage({ id, other }: { id: string; other: string | undefined }) {
  const after = useRun(id);
  const run = after.data.value;
  useEffect(() => watch(run === undefined ? { types: RUN_EVENTS } : { pipeline_id: run.pipeline_id }), [run?.pipeline_id]);
  if (run === undefined) {
    const problem = after.problem.value;
    return problem === undefined ? <Loading /> : <ProblemBox problem={problem} onRetry={() => after.refresh()} />;
  }
  return <Comparison run={run} other={other} />;
}

function Comparison({ run, other }: { run: RunDetail; other: string | undefined }) {
  const list = useResource<Run[]>(`runs of ${run.pipeline_id}`, () => ({
    read: async (signal) => {
      const { data, seq } = await ask<PageOf<Run>>(pathOf("pipelines", run.pipeline_id, "runs"), { query: { limit: RUNS, tenant: run.tenant }, signal });
      return { data: data.items.filter(({ id }) => id !== run.id), seq };
    },
  }));
  const runs = list.data.value;
  const named = other ?? runs?.find(({ created_at }) => created_at < run.created_at)?.id;
  const before = useRun(named);
  const found = before.data.value;
  const problem = before.problem.value ?? list.problem.value;
  return (
    <article class="compare">
      <header class="object">
        <div class="object-title">
          <p class="path"><a href={pipelineLink(run.pipeline_id, run)}>{run.pipeline_id}</a> / <a href={link(["runs", run.id])}>{shortId(run.id)}</a> / compare</p>
          <h1>Compare two runs</h1>
        </div>
        <div class="actions">
          <label class="inline">With
            <select value={named ?? ""} onChange={(event) => go(link(["runs", run.id, "compare", event.currentTarget.value]))}>
              {named !== undefined && runs?.every(({ id }) => id !== named) !== false && <option value={named}>{shortId(named)}</option>}
              {named === undefined && <option value="">choose a run</option>}
              {runs?.map((own) => <option key={own.id} value={own.id}>{short(own.created_at, Date.now())} · {own.status} · {shortId(own.id)}</option>)}
            </select>
          </label>
        </div>
      </header>
      {problem !== undefined && <ProblemBox problem={problem} onRetry={() => before.refresh()} />}
      {runs !== undefined && named === undefined && <p class="empty">The pipeline has no run before this one.</p>}
      {found === undefined && named !== undefined && problem === undefined && <Loading />}
      {found !== undefined && <Differences before={found} after={run} />}
    </article>
  );
}

function Differences({ before, after }: { before: RunDetail; after: RunDetail }) {
  const nodes = nodePairs(before, after);
  const first = nodes.find(({ why }) => why !== undefined);
  const runs = [before.id, after.id] as const;
  const selected = here.value.query.get("node") ?? first?.id;
  const versions = (run: RunDetail) => ({ Version: String(run.pipeline_version), Trigger: run.trigger });
  return (
    <>
      <p class={first === undefined ? "faint" : "notice"}>
        {first === undefined ? "Every node has ended in the same way, with as many rows." : <>The first node that differs is <strong>{first.id}</strong>: {first.why}.</>}
      </p>
      <table class="two-runs">
        <thead><tr><th /><th scope="col">Before</th><th scope="col">After</th></tr></thead>
        <tbody>
          <tr><th scope="row">Run</th>{[before, after].map((run) => <td key={run.id}><a href={link(["runs", run.id])} class="mono" title={run.id}>{shortId(run.id)}</a> <Status status={run.status} /></td>)}</tr>
          <tr><th scope="row">Created</th>{[before, after].map((run) => <td key={run.id}><Time at={run.created_at} /></td>)}</tr>
          <tr><th scope="row">Took</th>{[before, after].map((run) => <td key={run.id}><Took from={run.started_at} to={run.finished_at} /></td>)}</tr>
          <Values pairs={pairs(versions(before), versions(after))} />
          <Values pairs={pairs(before.params, after.params)} of="params." />
          <Values pairs={pairs(before.labels, after.labels)} of="labels." />
        </tbody>
      </table>
      <h2>Nodes</h2>
      <NodePairs nodes={nodes} runs={runs} selected={selected} onSelect={(node) => setQuery({ node }, "push")} />
      {selected !== undefined && (
        <>
          <h2>Output of {selected}</h2>
          <Profiles runs={runs} node={selected} />
        </>
      )}
    </>
  );
}

function Values({ pairs: all, of = "" }: { pairs: readonly Pair[]; of?: string }) {
  return (
    <>
      {all.map(({ name, before, after }) => (
        <tr key={name} class={before === after ? "" : "differs"}>
          <th scope="row">{of}{name}</th>
          <td>{before ?? <span class="faint">–</span>}</td>
          <td>{before === after ? <span class="faint">{after}</span> : <strong>{after ?? "–"}</strong>}</td>
        </tr>
      ))}
    </>
  );
}

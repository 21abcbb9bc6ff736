// One node of a run: its error first, then its attempts, log, data and config.

import { ask } from "../../api/client";
import { format } from "../../api/json";
import type { Attempt, NodeDef, NodeRun, RunDetail } from "../../api/model";
import { useResource } from "../../live/resource";
import { CopyButton } from "../../parts/copy";
import { Status } from "../../parts/mark";
import { Tabs, tabOf } from "../../parts/tabs";
import { Time } from "../../parts/time";
import { setQuery } from "../../router/location";
import { pathOf } from "../../router/path";
import { duration, durationOrDash } from "../../text/duration";
import { DataView } from "./data";
import { HistoryView } from "./history";
import { LogView } from "./log";

const TABS = [
  { id: "attempts", title: "Attempts" },
  { id: "log", title: "Log" },
  { id: "data", title: "Data" },
  { id: "config", title: "Config" },
] as const;

interface Props {
  run: RunDetail;
  node: NodeRun;
  definition: NodeDef | undefined;
}

export function NodePanel({ run, node, definition }: Props) {
  const tab = tabOf("panel", TABS);
  return (
    <section class="panel" aria-label={`Node ${node.node_id}`}>
      <div class="panel-head">
        <h2>{definition?.name ?? node.node_id}</h2>
        <Status status={node.status} />
        <span class="faint">{definition?.type}</span>
        <span class="grow" />
        <button type="button" class="plain" onClick={() => setQuery({ node: undefined, panel: undefined }, "push")} aria-label="Close the node">✕</button>
      </div>
      {node.error !== undefined && <pre class="error-text">{node.error}</pre>}
      <Tabs name="panel" label="What is shown of the node" tabs={TABS} />
      {tab === "attempts" && <Attempts run={run} node={node} />}
      {tab === "log" && <LogView key={node.node_id} run={run} node={node.node_id} />}
      {tab === "data" && <DataView run={run} node={node} />}
      {tab === "config" && <Config definition={definition} />}
    </section>
  );
}

function Attempts({ run, node }: { run: RunDetail; node: NodeRun }) {
  const resource = useResource<Attempt[]>(`${run.id} ${node.node_id}`, () => ({
    read: (signal) => ask<Attempt[]>(pathOf("runs", run.id, "nodes", node.node_id, "attempts"), { signal }),
    concerns: (event) => event.run_id === run.id && event.node_id === node.node_id && event.type !== "log",
  }));
  const attempts = resource.data.value ?? [];
  return (
    <>
      <dl class="facts">
        <div><dt>Waited</dt><dd class="number">{durationOrDash(node.queue_ms)}</dd></div>
        <div><dt>Took</dt><dd class="number">{durationOrDash(node.duration_ms)}</dd></div>
        <div><dt>Rows</dt><dd class="number">{node.row_count?.toLocaleString("en-US") ?? "–"}</dd></div>
        {node.branch !== undefined && <div><dt>Branch</dt><dd>{String(node.branch)}</dd></div>}
      </dl>
      {attempts.length === 0 && resource.data.value !== undefined && <p class="faint">The node has not started.</p>}
      <ol class="attempts">
        {attempts.map((own, index) => (
          <li key={index}>
            <span class="number">{own.attempt}</span>
            {own.status === "interrupted" ? <span class="status">Interrupted</span> : <Status status={own.status} />}
            <Time at={own.started_at} />
            <span class="faint">{own.duration_ms === undefined ? "" : duration(own.duration_ms)}</span>
            {own.error !== undefined && own.error !== node.error && <pre class="error-text">{own.error}</pre>}
          </li>
        ))}
      </ol>
      <HistoryView run={run} node={node} />
    </>
  );
}

function Config({ definition }: { definition: NodeDef | undefined }) {
  if (definition === undefined) return <p class="faint">This version of the pipeline is no longer stored.</p>;
  const text = format(definition.config);
  return (
    <div class="code">
      <CopyButton text={text} />
      <pre tabIndex={0} aria-label="Config">{text}</pre>
    </div>
  );
}

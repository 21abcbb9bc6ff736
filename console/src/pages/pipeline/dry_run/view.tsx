// A dry run: each node on a few rows, side by side. Nothing is stored, and no sink executes.

import { useState } from "preact/hooks";
import { may } from "../../../api/caller";
import type { DryRun, DryRunNode } from "../../../api/dry_run";
import type { Pipeline } from "../../../api/model";
import { Rows } from "../../../parts/cells";
import { useCommand } from "../../../parts/command";
import { issuesOf } from "../../../parts/field";
import { Status } from "../../../parts/mark";
import { ProblemBox } from "../../../parts/problem";
import { pathOf } from "../../../router/path";
import { ParamField } from "../../pipelines/param_field";
import { definitionsOf } from "../../pipelines/trigger";
import { flow } from "./order";

export function DryRunView({ pipeline }: { pipeline: Pipeline }) {
  const [params, setParams] = useState<Record<string, string>>({});
  const [found, setFound] = useState<DryRun>();
  const command = useCommand();
  if (!may("pipelines.run")) return <p class="empty">You may not start runs of this pipeline.</p>;
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const body = Object.keys(params).length === 0 ? {} : { params };
    const answer = await command.send<DryRun>(pathOf("pipelines", pipeline.id, "dry-run"), body);
    if (answer !== undefined) setFound(answer);
  };
  const set = (name: string, value: string | undefined) => {
    const { [name]: _, ...others } = params;
    setParams(value === undefined ? others : { ...others, [name]: value });
  };
  const issues = issuesOf(command.problem);
  const order = flow(pipeline.nodes.map(({ id }) => id), pipeline.edges);
  return (
    <section aria-label="Dry run">
      <form onSubmit={(event) => void submit(event)}>
        <p class="faint">Executes each node on at most ten rows. Nothing is stored, and a sink shows what it would receive. Commands that are no sinks do execute.</p>
        <div class="choices">
          {definitionsOf(pipeline).map((definition) => (
            <ParamField
              key={definition.name}
              definition={definition}
              fallback={pipeline.params[definition.name] ?? (definition.default === undefined ? undefined : String(definition.default))}
              value={params[definition.name]}
              issue={issues.get(`params/${definition.name}`)}
              onChange={(value) => set(definition.name, value)}
            />
          ))}
        </div>
        <div class="row"><button type="submit" class="is-main" disabled={command.isSending}>{command.isSending ? "Executing…" : found === undefined ? "Try it on ten rows" : "Try it again"}</button></div>
      </form>
      {command.problem !== undefined && <ProblemBox problem={command.problem} />}
      {found !== undefined && (
        <div class="side-by-side" tabIndex={0} role="region" aria-label="Rows of each node">
          {order.flatMap((id) => found[id] ?? []).map((node) => <NodeColumn key={node.node_id} node={node} />)}
        </div>
      )}
    </section>
  );
}

function NodeColumn({ node }: { node: DryRunNode }) {
  const { name, status, columns, rows, branch, truncated, error, warnings = [] } = node;
  return (
    <section class={`panel dry-node is-${status}`} aria-label={name}>
      <div class="panel-head"><h2>{name}</h2><Status status={status} /></div>
      {branch !== undefined && <p class="faint">takes the branch {String(branch)}</p>}
      {error !== undefined && <p class="error-text">{error}</p>}
      {warnings.map((warning) => <p key={warning} class="notice">{warning}</p>)}
      {rows.length === 0 && error === undefined && <p class="faint">no rows</p>}
      {rows.length > 0 && <Rows columns={columns} rows={rows} label={`Rows of ${name}`} />}
      {truncated === true && <p class="faint">Rows, columns or long cells are left out.</p>}
    </section>
  );
}

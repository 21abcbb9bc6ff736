// The chosen thing of a lineage: what is above and below it, and where it leads.

import type { LineageNode } from "../../api/lineage";
import { link } from "../../router/location";
import { pipelineLink } from "../../router/tenant";
import { count } from "../../text/words";

interface Props {
  node: LineageNode;
  up: readonly LineageNode[];
  down: readonly LineageNode[];
  onSelect(id: string | undefined): void;
}

/** More are counted. The table has all. */
const SHOWN_MAX = 30;

function addressOf(node: LineageNode): string | undefined {
  const { type, pipeline_id, name } = node;
  if (pipeline_id !== undefined) return pipelineLink(pipeline_id, node);
  if (type === "connection") return link(["connections"], { q: name });
  return type === "variable" ? link(["variables"], { q: name }) : undefined;
}

export function Chosen({ node, up, down, onSelect }: Props) {
  const address = addressOf(node);
  return (
    <aside class="panel" aria-label="Chosen">
      <div class="panel-head">
        <h2>{node.name}</h2>
        <span class="chip">{node.type}</span>
        <span class="grow" />
        <button type="button" class="plain" aria-label="Close" onClick={() => onSelect(undefined)}>✕</button>
      </div>
      {address !== undefined && <p><a href={address}>{node.pipeline_id === undefined ? `To the ${node.type}` : "To the pipeline"}</a></p>}
      <Side title={`Comes from ${count(up.length, "thing")}`} nodes={up} onSelect={onSelect} />
      <Side title={`Leads to ${count(down.length, "thing")}`} nodes={down} onSelect={onSelect} />
    </aside>
  );
}

function Side({ title, nodes, onSelect }: { title: string; nodes: readonly LineageNode[]; onSelect(id: string): void }) {
  return (
    <>
      <h3>{title}</h3>
      <ul class="side">
        {nodes.slice(0, SHOWN_MAX).map((node) => (
          <li key={node.id}>
            <button type="button" class="plain link" onClick={() => onSelect(node.id)}>{node.name}</button> <span class="faint">{node.type}</span>
          </li>
        ))}
      </ul>
      {nodes.length > SHOWN_MAX && <p class="faint">and {nodes.length - SHOWN_MAX} more</p>}
    </>
  );
}

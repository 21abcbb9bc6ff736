// The graph of a pipeline, with what the newest run did in each node.

import { useMemo, useState } from "preact/hooks";
import { format } from "../../api/json";
import type { Grid, Pipeline } from "../../api/model";
import { Drawing } from "../../graph/drawing";
import { statusOf } from "./cells";

interface Props {
  pipeline: Pipeline;
  grid: Grid | undefined;
}

export function PipelineGraph({ pipeline, grid }: Props) {
  const [selected, setSelected] = useState<string>();
  const newest = grid?.runs[0];
  const nodes = useMemo(() => {
    const index = new Map(grid?.nodes.map((id, at) => [id, at]));
    return pipeline.nodes.map(({ id, name, type }) => ({
      id,
      name,
      type,
      status: statusOf(newest?.cells[index.get(id) ?? -1]),
      note: type,
    }));
  }, [pipeline.nodes, newest, grid?.nodes]);
  const node = pipeline.nodes.find((own) => own.id === selected);
  return (
    <section aria-label="Graph">
      <Drawing nodes={nodes} edges={pipeline.edges} selected={selected} onSelect={(id) => setSelected(id === selected ? undefined : id)} />
      {newest !== undefined && <p class="faint">The marks are those of the newest run.</p>}
      {node !== undefined && (
        <div class="code">
          <h2>{node.name} <span class="faint">{node.type}</span></h2>
          <pre tabIndex={0} aria-label="Config">{format(node.config)}</pre>
        </div>
      )}
    </section>
  );
}

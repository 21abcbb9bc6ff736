// The nodes of a run as a graph, on a line of time, and as a table.

import { useMemo } from "preact/hooks";
import type { RunDetail } from "../../api/model";
import { Drawing } from "../../graph/drawing";
import { now } from "../../live/clock";
import { Tabs, tabOf } from "../../parts/tabs";
import { duration } from "../../text/duration";
import { Timeline } from "./timeline";
import { NodesTable } from "./nodes_table";
import { isFinished, type Definition } from "./run";
import { criticalPath, timeSentence } from "./timing";

const TABS = [
  { id: "graph", title: "Graph" },
  { id: "timeline", title: "Timeline" },
  { id: "table", title: "Table" },
] as const;

interface Props {
  run: RunDetail;
  definition: Definition;
  selected: string | undefined;
  onSelect(node: string): void;
}

export function Nodes({ run, definition, selected, onSelect }: Props) {
  const at = isFinished(run.status) ? 0 : now.value;
  const path = useMemo(() => criticalPath(run, definition.edges, at), [run, definition.edges, at]);
  const sentence = timeSentence(run, path, at);
  const tab = tabOf("view", TABS);
  const nodes = useMemo(
    () =>
      run.node_runs.map(({ node_id, status, duration_ms, attempt, reused_from }) => {
        const own = definition.nodes.get(node_id);
        const again = attempt > 1 ? ` · attempt ${attempt}` : "";
        const took = duration_ms === undefined ? undefined : `${duration(duration_ms)}${again}`;
        const note = reused_from === undefined ? took : "reused";
        return { id: node_id, name: own?.name ?? node_id, type: own?.type ?? "", status, note };
      }),
    [run.node_runs, definition.nodes],
  );
  return (
    <section class="nodes" aria-label="Nodes">
      <div class="bar">
        <Tabs name="view" label="How the nodes are shown" tabs={TABS} />
        {sentence !== "" && <p class="sentence">{sentence}</p>}
      </div>
      {tab === "graph" && definition.isSettled && <Drawing {...{ nodes, selected, onSelect }} edges={definition.edges} />}
      {tab === "timeline" && <Timeline {...{ run, path, selected, onSelect }} />}
      {tab === "table" && <NodesTable {...{ run, selected, onSelect }} />}
    </section>
  );
}

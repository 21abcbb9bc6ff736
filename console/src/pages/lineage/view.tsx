// The lineage of all pipelines, or around one: as a drawing and as a table.

import { useMemo } from "preact/hooks";
import { ask } from "../../api/client";
import type { Lineage, LineageKind, LineageNode } from "../../api/lineage";
import { Drawing, type DrawnNode } from "../../graph/drawing";
import { useResource } from "../../live/resource";
import { FilterBox, matches } from "../../parts/filter";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { Tabs, tabOf } from "../../parts/tabs";
import { here, setQuery } from "../../router/location";
import { count } from "../../text/words";
import { Chosen } from "./chosen";
import { neighborsOf, part, reach, withoutNodes } from "./graph";
import { LineageTable } from "./table";

const TABS = [
  { id: "graph", title: "Graph" },
  { id: "table", title: "Table" },
] as const;

const SHAPES: Record<LineageKind, DrawnNode["shape"]> = {
  pipeline: "raised", processing: undefined, table: "round", file: "round", api: "round", connection: "round", variable: "round",
};

interface Props {
  /** Shows what is around this pipeline alone. */
  around?: { id: string; tenant?: string };
}

async function read(signal: AbortSignal) {
  const { data, isCut } = await ask<Lineage>("lineage", { signal });
  return { data: { ...data, isCut }, seq: Number.NaN };
}

function graphOf(lineage: Lineage, isWhole: boolean, around: Props["around"]) {
  const graph = isWhole ? lineage : withoutNodes(lineage);
  if (around === undefined) return graph;
  const isOwn = ({ pipeline_id, tenant }: LineageNode) => pipeline_id === around.id && tenant === around.tenant;
  const { up, down } = neighborsOf(graph.edges);
  const centers = graph.nodes.filter(isOwn).map(({ id }) => id);
  return part(graph, new Set(centers.flatMap((id) => [id, ...reach(id, up), ...reach(id, down)])));
}

export function LineageView({ around }: Props) {
  const lineage = useResource<Lineage>("lineage", () => ({ read }));
  const found = lineage.data.value;
  const query = here.value.query;
  const isWhole = query.get("nodes") === "1";
  const graph = useMemo(() => found && graphOf(found, isWhole, around), [found, isWhole, around?.id]);
  const neighbors = useMemo(() => neighborsOf(graph?.edges ?? []), [graph]);
  const selected = query.get("node") ?? undefined;
  const text = query.get("q");
  const drawn = useMemo(
    () => graph?.nodes.map(({ id, name, type }) => ({ id, name, type, note: type, shape: SHAPES[type] })),
    [graph],
  );
  const problem = lineage.problem.value;
  if (problem !== undefined && found === undefined) return <ProblemBox problem={problem} onRetry={() => lineage.refresh()} />;
  if (graph === undefined || drawn === undefined) return <Loading />;
  const node = graph.nodes.find((own) => own.id === selected);
  const [up, down] = node === undefined ? [new Set<string>(), new Set<string>()] : [reach(node.id, neighbors.up), reach(node.id, neighbors.down)];
  const hits = graph.nodes.filter(({ name, id }) => matches(text, name, id));
  const isSearch = (text ?? "") !== "";
  const related = node !== undefined ? new Set([node.id, ...up, ...down]) : isSearch ? new Set(hits.map(({ id }) => id)) : undefined;
  const select = (id: string | undefined) => setQuery({ node: id === selected ? undefined : id }, "push");
  const tab = tabOf("as", TABS);
  return (
    <section aria-label="Lineage">
      <div class="bar">
        <Tabs name="as" label="How the lineage is shown" tabs={TABS} />
        <FilterBox name="q" label="Find" />
        {isSearch && <span class="faint">{count(hits.length, "hit")}</span>}
        {isSearch && hits.length > 0 && <button type="button" onClick={() => select(nextOf(hits, selected))}>{node === undefined ? "Choose" : "Next"}</button>}
        <label class="check">
          <input type="checkbox" checked={isWhole} onChange={(event) => setQuery({ nodes: event.currentTarget.checked ? "1" : undefined, node: undefined })} />
          With nodes and variables
        </label>
      </div>
      {found?.isCut === true && <p class="notice">There are more pipelines than the lineage shows.</p>}
      {graph.nodes.length === 0 ? <p class="empty">{around === undefined ? "There is no pipeline yet." : "The pipeline is not in the lineage."}</p> : (
        <div class={`split${node === undefined ? "" : " has-panel"}`}>
          {tab === "graph" && <Drawing nodes={drawn} edges={graph.edges} selected={selected} related={related} label="Graph of the lineage" onSelect={select} />}
          {tab === "table" && <LineageTable nodes={isSearch ? hits : graph.nodes} all={graph.nodes} neighbors={neighbors} selected={selected} onSelect={select} />}
          {node !== undefined && <Chosen node={node} up={graph.nodes.filter(({ id }) => up.has(id))} down={graph.nodes.filter(({ id }) => down.has(id))} onSelect={select} />}
        </div>
      )}
      {tab === "graph" && <p class="faint">Pipelines are boxes, and what they read and write is round. Data flows from left to right.</p>}
    </section>
  );
}

function nextOf(hits: readonly LineageNode[], selected: string | undefined): string | undefined {
  const at = hits.findIndex(({ id }) => id === selected);
  return hits[(at + 1) % hits.length]?.id;
}

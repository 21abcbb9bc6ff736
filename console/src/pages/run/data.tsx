// The first rows of the output of a node, as a table.

import { ask } from "../../api/client";
import { Exact, format } from "../../api/json";
import type { Cell, NodeRun, Preview, RunDetail } from "../../api/model";
import { useResource } from "../../live/resource";
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
      <div class="scroll" tabIndex={0} role="region" aria-label="First rows">
        <table class="data">
          <thead><tr>{data.columns.map((column) => <Heading key={column} name={column} rows={data.rows} />)}</tr></thead>
          <tbody>
            {data.rows.map((row, index) => (
              <tr key={index}>{data.columns.map((column) => <Value key={column} cell={row[column]} />)}</tr>
            ))}
          </tbody>
        </table>
      </div>
      <ProfileView run={source} node={node.node_id} />
    </>
  );
}

/** The name of a column: above numbers, at their side. */
function Heading({ name, rows }: { name: string; rows: Preview["rows"] }) {
  const first = rows.find((row) => row[name] !== null && row[name] !== undefined)?.[name];
  return <th scope="col" class={isNumber(first) ? "number" : ""}>{name}</th>;
}

function isNumber(cell: Cell | undefined): cell is number | Exact {
  return typeof cell === "number" || cell instanceof Exact;
}

function Value({ cell }: { cell: Cell | undefined }) {
  if (cell === null || cell === undefined) return <td class="faint">null</td>;
  if (isNumber(cell)) return <td class="number">{String(cell)}</td>;
  if (typeof cell === "object") return <td><code>{format(cell)}</code></td>;
  return <td>{String(cell)}</td>;
}

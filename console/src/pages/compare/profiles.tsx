// The columns of a node's output in two runs beside one another.

import { ask } from "../../api/client";
import type { ColumnProfile, NodeProfile } from "../../api/model";
import { Problem } from "../../api/problem";
import { useResource } from "../../live/resource";
import { Loading } from "../../parts/loading";
import { pathOf } from "../../router/path";

type Columns = Map<string, ColumnProfile>;

async function read(run: string, node: string, signal: AbortSignal): Promise<Columns> {
  try {
    const { data } = await ask<NodeProfile>(pathOf("runs", run, "nodes", node, "profile"), { signal });
    return new Map(data.profile.columns.map((column) => [column.name, column]));
  } catch (error) {
    // A node without an output has no profile.
    if (error instanceof Problem && error.status === 404) return new Map();
    throw error;
  }
}

export function Profiles({ runs, node }: { runs: readonly [string, string]; node: string }) {
  const both = useResource<[Columns, Columns]>(`profiles ${runs.join()} ${node}`, () => ({
    read: async (signal) => ({ data: await Promise.all([read(runs[0], node, signal), read(runs[1], node, signal)]), seq: Number.NaN }),
  }));
  if (both.data.value === undefined) return <Loading />;
  const [before, after] = both.data.value;
  const names = [...new Set([...after.keys(), ...before.keys()])];
  if (names.length === 0) return <p class="faint">Neither run has a profile of the output of {node}.</p>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={`Columns of ${node}`}>
      <table>
        <thead><tr><th>Column</th><th>Type</th><th>Then</th><th class="number">Null</th><th class="number">Then</th><th class="number">Distinct</th><th class="number">Then</th></tr></thead>
        <tbody>{names.map((name) => <Row key={name} name={name} before={before.get(name)} after={after.get(name)} />)}</tbody>
      </table>
    </div>
  );
}

function Row({ name, before, after }: { name: string; before: ColumnProfile | undefined; after: ColumnProfile | undefined }) {
  const cell = (own: string | undefined, other: string | undefined) => (own === other ? own ?? "–" : <strong>{own ?? "–"}</strong>);
  const values = (column: ColumnProfile | undefined) => [column?.type, column && `${column.null_pct} %`, column?.unique_count.toLocaleString("en-US")] as const;
  const [one, other] = [values(before), values(after)];
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{one[0] ?? "–"}</td><td>{cell(other[0], one[0])}</td>
      <td class="number">{one[1] ?? "–"}</td><td class="number">{cell(other[1], one[1])}</td>
      <td class="number">{one[2] ?? "–"}</td><td class="number">{cell(other[2], one[2])}</td>
    </tr>
  );
}

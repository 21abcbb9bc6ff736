// What the columns of an output are like, and what has changed since the run before.

import { ask } from "../../api/client";
import { format } from "../../api/json";
import type { ColumnProfile, Drift, NodeProfile } from "../../api/model";
import { useResource } from "../../live/resource";
import { pathOf } from "../../router/path";

export function ProfileView({ run, node }: { run: string; node: string }) {
  const resource = useResource<NodeProfile>(`profile ${run} ${node}`, () => ({
    read: (signal) => ask<NodeProfile>(pathOf("runs", run, "nodes", node, "profile"), { signal }),
  }));
  const found = resource.data.value;
  if (found === undefined || found.profile.columns.length === 0) return null;
  return (
    <>
      <h3>Columns</h3>
      {found.drift !== undefined && found.drift.length > 0 && <Drifts drifts={found.drift} />}
      <div class="scroll" tabIndex={0} role="region" aria-label="Profile of the columns">
        <table class="profile">
          <thead>
            <tr><th>Column</th><th>Type</th><th>Null</th><th class="number">Distinct</th><th>Least</th><th>Most</th><th class="number">Mean</th></tr>
          </thead>
          <tbody>{found.profile.columns.map((column) => <Column key={column.name} column={column} />)}</tbody>
        </table>
      </div>
    </>
  );
}

function Column({ column }: { column: ColumnProfile }) {
  const { name, type, null_pct, unique_count, capped, min_val, max_val, mean_val } = column;
  return (
    <tr>
      <th scope="row">{name}</th>
      <td class="faint">{type}</td>
      <td class="nulls">
        <span class="share" aria-hidden="true"><span style={{ width: `${null_pct}%` }} /></span>{" "}
        <span class="number">{null_pct} %</span>
      </td>
      <td class="number">{capped ? "≥ " : ""}{unique_count.toLocaleString("en-US")}</td>
      <td class="cell">{min_val === undefined ? "–" : format(min_val)}</td>
      <td class="cell">{max_val === undefined ? "–" : format(max_val)}</td>
      <td class="number">{mean_val === undefined ? "–" : format(mean_val)}</td>
    </tr>
  );
}

const KINDS: Record<string, string> = {
  added: "is new",
  removed: "is gone",
  type_changed: "has another type",
  null_pct: "has another share of nulls",
};

function Drifts({ drifts }: { drifts: readonly Drift[] }) {
  return (
    <ul class="notice">
      {drifts.map(({ column, kind, before, after }) => (
        <li key={`${column} ${kind}`}>
          <code>{column}</code> {KINDS[kind] ?? kind}
          {before !== undefined && after !== undefined && `: ${format(before)} → ${format(after)}`}
        </li>
      ))}
    </ul>
  );
}

// All connections: where they lead, and which pipelines refer to them. Secrets are masked.

import { useState } from "preact/hooks";
import { may } from "../../api/caller";
import type { Connection } from "../../api/settings";
import { useFollowed } from "../../live/follow";
import { readPages } from "../../live/pages";
import { useResource } from "../../live/resource";
import { FilterBox, matches } from "../../parts/filter";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { Time } from "../../parts/time";
import { here } from "../../router/location";
import { pathOf } from "../../router/path";
import { DeleteDialog } from "./delete";
import { ConnectionForm } from "./form";
import { UsedBy } from "./used_by";
import { useUsers } from "./users";

const PAGES_MAX = 20;

type Open = { kind: "form"; connection?: Connection } | { kind: "delete"; connection: Connection };

export function ConnectionsPage() {
  useFollowed();
  const list = useResource<Connection[]>("connections", () => ({ read: (signal) => readPages<Connection>("connections", PAGES_MAX, signal) }));
  const usersOf = useUsers("connection");
  const [open, setOpen] = useState<Open>();
  const all = list.data.value;
  const problem = list.problem.value;
  const shown = all?.filter((own) => matches(here.value.query.get("q"), own.conn_id, own.type, own.host, own.description));
  const close = () => setOpen(undefined);
  const done = () => {
    close();
    list.refresh();
  };
  return (
    <section aria-labelledby="connections-title">
      <div class="bar">
        <h1 id="connections-title">Connections</h1>
        <FilterBox name="q" label="Filter by name" />
        {may("connections.create") && <button type="button" class="is-main" onClick={() => setOpen({ kind: "form" })}>New connection…</button>}
      </div>
      {problem !== undefined && <ProblemBox problem={problem} onRetry={() => list.refresh()} />}
      {shown === undefined && problem === undefined && <Loading />}
      {shown?.length === 0 && <p class="empty">{all?.length === 0 ? "There is no connection yet. A node names one in its config, and the engine gives it the secrets." : "No connection matches."}</p>}
      {shown !== undefined && shown.length > 0 && (
        <table class="rows">
          <thead><tr><th>Connection</th><th>Leads to</th><th>Secrets</th><th>Used by</th><th class="wide-only">Changed</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
          <tbody>
            {shown.map((own) => (
              <tr key={`${own.tenant ?? ""} ${own.conn_id}`}>
                <td class="main-cell" tabIndex={-1} data-row><strong>{own.conn_id}</strong> <span class="chip">{own.type}</span>{own.tenant !== undefined && <span class="chip">{own.tenant}</span>}{own.description !== "" && <p class="faint one-line">{own.description}</p>}</td>
                <td class="address">{addressOf(own)}</td>
                <td>{secretsOf(own)}</td>
                <td><UsedBy users={usersOf(own.conn_id, own.tenant)} own={own} /></td>
                <td class="wide-only"><Time at={own.updated_at} /></td>
                <td class="row-actions">
                  {may("connections.edit") && <button type="button" onClick={() => setOpen({ kind: "form", connection: own })} aria-label={`Edit ${own.conn_id}`}>Edit…</button>}
                  {may("connections.delete") && <button type="button" onClick={() => setOpen({ kind: "delete", connection: own })} aria-label={`Delete ${own.conn_id}`}>Delete…</button>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {open?.kind === "form" && <ConnectionForm connection={open.connection} onClose={close} onDone={done} />}
      {open?.kind === "delete" && (
        <DeleteDialog what="connection" name={open.connection.conn_id} path={pathOf("connections", open.connection.conn_id)} tenant={open.connection.tenant}
          users={usersOf(open.connection.conn_id, open.connection.tenant)} onClose={close} onDone={done} />
      )}
    </section>
  );
}

function addressOf({ login, host, port, schema }: Connection): string {
  const place = `${login === "" ? "" : `${login}@`}${host}${port === undefined ? "" : `:${port}`}${schema === "" ? "" : `/${schema}`}`;
  return place === "" ? "–" : place;
}

function secretsOf({ password, extra }: Connection) {
  const kept = [password !== undefined && "password", extra !== undefined && "extra"].filter(Boolean);
  return kept.length === 0 ? <span class="faint">none</span> : <span title="The API never shows them">{kept.join(", ")} ••••</span>;
}

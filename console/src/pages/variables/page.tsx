// All variables, and which pipelines refer to them. The values of secrets are masked.

import { useState } from "preact/hooks";
import { may } from "../../api/caller";
import type { Variable } from "../../api/settings";
import { useFollowed } from "../../live/follow";
import { readPages } from "../../live/pages";
import { useResource } from "../../live/resource";
import { FilterBox, matches } from "../../parts/filter";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { Time } from "../../parts/time";
import { here } from "../../router/location";
import { pathOf } from "../../router/path";
import { DeleteDialog } from "../connections/delete";
import { UsedBy } from "../connections/used_by";
import { useUsers } from "../connections/users";
import { VariableForm } from "./form";

const PAGES_MAX = 20;

type Open = { kind: "form"; variable?: Variable } | { kind: "delete"; variable: Variable };

export function VariablesPage() {
  useFollowed();
  const list = useResource<Variable[]>("variables", () => ({ read: (signal) => readPages<Variable>("variables", PAGES_MAX, signal) }));
  const usersOf = useUsers("variable");
  const [open, setOpen] = useState<Open>();
  const all = list.data.value;
  const problem = list.problem.value;
  const shown = all?.filter((own) => matches(here.value.query.get("q"), own.key, own.description));
  const close = () => setOpen(undefined);
  const done = () => {
    close();
    list.refresh();
  };
  return (
    <section aria-labelledby="variables-title">
      <div class="bar">
        <h1 id="variables-title">Variables</h1>
        <FilterBox name="q" label="Filter by name" />
        {may("variables.create") && <button type="button" class="is-main" onClick={() => setOpen({ kind: "form" })}>New variable…</button>}
      </div>
      {problem !== undefined && <ProblemBox problem={problem} onRetry={() => list.refresh()} />}
      {shown === undefined && problem === undefined && <Loading />}
      {shown?.length === 0 && <p class="empty">{all?.length === 0 ? <>There is no variable yet. A config reads one as <code>{"${var.KEY}"}</code>.</> : "No variable matches."}</p>}
      {shown !== undefined && shown.length > 0 && (
        <table class="rows">
          <thead><tr><th>Variable</th><th>Value</th><th>Used by</th><th class="wide-only">Changed</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
          <tbody>
            {shown.map((own) => (
              <tr key={`${own.tenant ?? ""} ${own.key}`}>
                <td class="main-cell" tabIndex={-1} data-row><strong>{own.key}</strong>{own.tenant !== undefined && <span class="chip">{own.tenant}</span>}{own.description !== "" && <p class="faint one-line">{own.description}</p>}</td>
                <td class="address">{own.type === "secret" ? <span class="faint" title="The API never shows it">secret ••••</span> : own.value === "" ? <span class="faint">empty</span> : <code class="cut" title={own.value}>{own.value}</code>}</td>
                <td><UsedBy users={usersOf(own.key, own.tenant)} own={own} /></td>
                <td class="wide-only"><Time at={own.updated_at} /></td>
                <td class="row-actions">
                  {may("variables.edit") && <button type="button" onClick={() => setOpen({ kind: "form", variable: own })} aria-label={`Edit ${own.key}`}>Edit…</button>}
                  {may("variables.delete") && <button type="button" onClick={() => setOpen({ kind: "delete", variable: own })} aria-label={`Delete ${own.key}`}>Delete…</button>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {open?.kind === "form" && <VariableForm variable={open.variable} onClose={close} onDone={done} />}
      {open?.kind === "delete" && (
        <DeleteDialog what="variable" name={open.variable.key} path={pathOf("variables", open.variable.key)} tenant={open.variable.tenant}
          users={usersOf(open.variable.key, open.variable.tenant)} onClose={close} onDone={done} />
      )}
    </section>
  );
}

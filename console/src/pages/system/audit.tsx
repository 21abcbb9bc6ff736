// Who did what, the newest first, narrowed by filters that are in the address.

import { ask } from "../../api/client";
import type { PageOf } from "../../api/model";
import type { AuditEntry } from "../../api/system";
import { useResource } from "../../live/resource";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { Time } from "../../parts/time";
import { here, link, setQuery } from "../../router/location";

const PAGE = 50;
const FILTERS = ["action", "by", "subject"] as const;
const PLACES: Record<string, string> = { pipeline: "pipelines", run: "runs", backfill: "backfills" };

export function Audit() {
  const query = here.value.query;
  const filter = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? undefined]));
  const after = query.get("after") ?? undefined;
  const list = useResource<PageOf<AuditEntry>>(`audit ${JSON.stringify(filter)} ${after}`, () => ({
    read: (signal) => ask<PageOf<AuditEntry>>("audit", { query: { ...filter, after, limit: PAGE }, signal }),
    concerns: (event) => event.type.startsWith("run."),
  }));
  const page = list.data.value;
  const isFiltered = FILTERS.some((name) => filter[name] !== undefined);
  return (
    <>
      <div class="bar">
        {FILTERS.map((name) => (
          <input key={`${name} ${filter[name]}`} class="narrow" aria-label={name} placeholder={name} data-filter={name === "action"} defaultValue={filter[name] ?? ""}
            onChange={(event) => setQuery({ [name]: event.currentTarget.value.trim(), after: undefined })} />
        ))}
        {isFiltered && <button type="button" onClick={() => setQuery({ action: undefined, by: undefined, subject: undefined, after: undefined })}>Clear</button>}
      </div>
      {list.problem.value !== undefined && <ProblemBox problem={list.problem.value} onRetry={() => list.refresh()} />}
      {page === undefined && list.problem.value === undefined && <Loading />}
      {page?.items.length === 0 && <p class="empty">{isFiltered ? "No entry matches." : "Nobody has given a command yet."}</p>}
      {page !== undefined && page.items.length > 0 && (
        <table class="rows">
          <thead><tr><th>When</th><th>Who</th><th>What</th><th>Object</th><th>Outcome</th><th>Reason</th></tr></thead>
          <tbody>
            {page.items.map((own) => (
              <tr key={own.id}>
                <td tabIndex={-1} data-row><Time at={own.at} /></td>
                <td>{own.by === undefined ? <span class="faint">–</span> : <button type="button" class="plain link" onClick={() => setQuery({ by: own.by, after: undefined }, "push")}>{own.by}</button>}</td>
                <td><button type="button" class="plain link" onClick={() => setQuery({ action: own.action, after: undefined }, "push")}>{own.action}</button></td>
                <td class="address"><Subject text={own.subject} /></td>
                <td>{own.outcome === "done" ? "done" : <span class="chip is-warning" title={own.problem}>refused: {own.problem}</span>}</td>
                <td class="reason">{own.reason ?? <span class="faint">–</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <nav class="row" aria-label="Pages">
        {after !== undefined && <button type="button" onClick={() => setQuery({ after: undefined }, "push")}>Newest</button>}
        {page?.has_next === true && page.cursor !== undefined && <button type="button" onClick={() => setQuery({ after: page.cursor }, "push")}>Older</button>}
      </nav>
    </>
  );
}

function Subject({ text }: { text: string }) {
  const at = text.indexOf(":");
  const place = PLACES[text.slice(0, at)];
  return place === undefined ? <>{text}</> : <a href={link([place, text.slice(at + 1)])}>{text}</a>;
}

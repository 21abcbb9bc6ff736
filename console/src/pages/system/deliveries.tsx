// Events that a notifier has not received: those that wait for their next try, and dead letters.

import { useState } from "preact/hooks";
import { may } from "../../api/caller";
import { ask } from "../../api/client";
import type { PageOf } from "../../api/model";
import type { Delivery } from "../../api/system";
import { useResource } from "../../live/resource";
import { useCommand } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { Time } from "../../parts/time";
import { here, link, setQuery } from "../../router/location";
import { pathOf } from "../../router/path";
import { shortId } from "../../text/words";

const PAGE = 50;

export function Deliveries() {
  const query = here.value.query;
  const state = query.get("state") ?? undefined;
  const after = query.get("after") ?? undefined;
  const list = useResource<PageOf<Delivery>>(`deliveries ${state} ${after}`, () => ({
    read: (signal) => ask<PageOf<Delivery>>("deliveries", { query: { state, after, limit: PAGE }, signal }),
    concerns: (event) => event.type.startsWith("run."),
  }));
  const page = list.data.value;
  return (
    <>
      <div class="bar">
        <select class="narrow" aria-label="State" value={state ?? ""} onChange={(event) => setQuery({ state: event.currentTarget.value, after: undefined })}>
          <option value="">any state</option>
          <option value="waiting">waiting</option>
          <option value="dead">dead</option>
        </select>
      </div>
      {list.problem.value !== undefined && <ProblemBox problem={list.problem.value} onRetry={() => list.refresh()} />}
      {page === undefined && list.problem.value === undefined && <Loading />}
      {page?.items.length === 0 && <p class="empty">{state === "dead" ? "No event is a dead letter." : "Every notifier has received every event."}</p>}
      {page !== undefined && page.items.length > 0 && (
        <table class="rows">
          <thead><tr><th>Notifier</th><th>Event</th><th>State</th><th>Run</th><th class="number">Tries</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
          <tbody>{page.items.map((own) => <Row key={own.id} delivery={own} onChange={() => list.refresh()} />)}</tbody>
        </table>
      )}
      <nav class="row" aria-label="Pages">
        {after !== undefined && <button type="button" onClick={() => setQuery({ after: undefined }, "push")}>Newest</button>}
        {page?.has_next === true && page.cursor !== undefined && <button type="button" onClick={() => setQuery({ after: page.cursor }, "push")}>Older</button>}
      </nav>
    </>
  );
}

function Row({ delivery, onChange }: { delivery: Delivery; onChange(): void }) {
  const [isDropping, setDropping] = useState(false);
  const command = useCommand();
  const { id, notifier, type, state, run_id, pipeline_id, tries, at, error } = delivery;
  const retry = async () => {
    if ((await command.send(pathOf("deliveries", id, "retry"))) !== undefined) onChange();
  };
  const isOffered = state === "dead" && may("settings.edit");
  return (
    <tr>
      <td class="main-cell" tabIndex={-1} data-row>{notifier}</td>
      <td>{type ?? "–"} <span class="faint">{delivery.seq}</span></td>
      <td>{state === "dead" ? <span class="chip is-warning">dead</span> : "waits"} <span class="faint">{state === "dead" ? "since " : "until "}<Time at={at} /></span>{error !== undefined && <p class="faint one-line" title={error}>{error}</p>}</td>
      <td><a href={link(["runs", run_id])} class="mono" title={run_id}>{shortId(run_id)}</a> <span class="faint">{pipeline_id}</span></td>
      <td class="number">{tries}</td>
      <td class="row-actions">
        {isOffered && <button type="button" disabled={command.isSending} onClick={() => void retry()}>Retry</button>}
        {isOffered && <button type="button" onClick={() => setDropping(true)}>Drop…</button>}
        {command.problem !== undefined && <ProblemBox problem={command.problem} />}
        {isDropping && <DropDialog delivery={delivery} onClose={() => setDropping(false)} onDone={onChange} />}
      </td>
    </tr>
  );
}

function DropDialog({ delivery, onClose, onDone }: { delivery: Delivery; onClose(): void; onDone(): void }) {
  const command = useCommand();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if ((await command.request("DELETE", pathOf("deliveries", delivery.id))) === undefined) return;
    onClose();
    onDone();
  };
  return (
    <Dialog title="Drop a dead letter" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <p>“{delivery.notifier}” never receives the event {delivery.type} of this run. The run itself stays.</p>
        {command.problem !== undefined && <ProblemBox problem={command.problem} />}
        <div class="row is-end">
          <button type="button" onClick={onClose}>Keep it</button>
          <button type="submit" class="is-danger" disabled={command.isSending}>Drop it</button>
        </div>
      </form>
    </Dialog>
  );
}

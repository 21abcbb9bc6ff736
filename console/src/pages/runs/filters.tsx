// The filters above the list of runs.

import { useState } from "preact/hooks";
import type { RunStatus } from "../../api/model";
import { Mark } from "../../parts/mark";
import { here, link, setAll, setQuery } from "../../router/location";
import { toField, zoneName } from "../../text/time";
import { isFiltered } from "./query";

const STATUSES: readonly RunStatus[] = ["pending", "running", "success", "failed", "cancelled"];
const TRIGGERS = ["manual", "schedule", "backfill", "resume", "catchup", "webhook", "dependency"];

export function Filters() {
  const query = here.value.query;
  const chosen = query.getAll("status");
  const toggle = (status: string) =>
    setAll("status", chosen.includes(status) ? chosen.filter((own) => own !== status) : [...chosen, status]);
  return (
    <div class="filters">
      <span class="group" role="group" aria-label="Status">
        {STATUSES.map((status) => (
          <button key={status} type="button" aria-pressed={chosen.includes(status)} onClick={() => toggle(status)}>
            <Mark status={status} /> {status}
          </button>
        ))}
      </span>
      <select aria-label="Trigger" value={query.get("trigger") ?? ""} onChange={(event) => setQuery({ trigger: event.currentTarget.value, after: undefined })}>
        <option value="">any trigger</option>
        {TRIGGERS.map((trigger) => <option key={trigger} value={trigger}>{trigger}</option>)}
      </select>
      <TextFilter name="pipeline_id" label="Pipeline" />
      <LabelFilter />
      <span class="times">
        <TimeFilter name="from" label="From" />
        <TimeFilter name="to" label="To" />
      </span>
      {isFiltered(query) && <a class="button" href={link(["runs"])}>Clear</a>}
    </div>
  );
}

/** Applies its text when the caller leaves it: half an id is no pipeline. */
function TextFilter({ name, label }: { name: string; label: string }) {
  const value = here.value.query.get(name) ?? "";
  return (
    <input key={value} aria-label={label} placeholder={label} data-filter={name === "pipeline_id"} defaultValue={value}
      onChange={(event) => setQuery({ [name]: event.currentTarget.value.trim(), after: undefined })} />
  );
}

function LabelFilter() {
  const labels = here.value.query.getAll("label");
  const [text, setText] = useState("");
  const add = (event: SubmitEvent) => {
    event.preventDefault();
    const label = text.trim();
    if (label.includes(":") && !labels.includes(label)) setAll("label", [...labels, label]);
    setText("");
  };
  return (
    <form onSubmit={add} class="inline">
      <input aria-label="Label" placeholder="label:value" pattern="[^:]+:.*" value={text} onInput={(event) => setText(event.currentTarget.value)} />
      {labels.map((label) => (
        <button key={label} type="button" class="chip" onClick={() => setAll("label", labels.filter((own) => own !== label))}>{label} ✕</button>
      ))}
    </form>
  );
}

function TimeFilter({ name, label }: { name: "from" | "to"; label: string }) {
  const value = here.value.query.get(name) ?? "";
  return (
    <label class="inline" title={`In ${zoneName()}`}>{label}
      <input type="datetime-local" value={toField(value)} onChange={(event) => setQuery({ [name]: event.currentTarget.value, after: undefined })} />
    </label>
  );
}

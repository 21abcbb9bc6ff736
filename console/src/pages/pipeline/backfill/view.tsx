// Runs a pipeline for days of the past: choose them, look at the preview, create exactly that.

import { useState } from "preact/hooks";
import { may } from "../../../api/caller";
import { ask } from "../../../api/client";
import type { BackfillPreview } from "../../../api/backfills";
import type { Pipeline } from "../../../api/model";
import { now } from "../../../live/clock";
import { useResource } from "../../../live/resource";
import { useCommand } from "../../../parts/command";
import { ProblemBox } from "../../../parts/problem";
import { useSettled } from "../../../parts/settled";
import { go, here, link, setQuery } from "../../../router/location";
import { pathOf } from "../../../router/path";
import { dayIn, days, isDate } from "../../../text/dates";
import { count } from "../../../text/words";
import { PreviewList } from "../../backfill/preview_list";
import { definitionsOf } from "../../pipelines/trigger";
import { createBody, previewBody, type Choices } from "./body";
import { DayPicker, type Range } from "./day_picker";
import { BackfillFields } from "./fields";
import { presets } from "./presets";

const CHOICES: Choices = { unit: "day", order: "asc", parallel: 1, isSkipping: true, params: {} };

function rangeOf(query: URLSearchParams, today: string): Range | undefined {
  const [from, to] = [query.get("from"), query.get("to")];
  return isDate(from) && isDate(to) && from <= to && to <= today ? { from, to } : undefined;
}

export function BackfillView({ pipeline }: { pipeline: Pipeline }) {
  if (!may("pipelines.run")) {
    const list = link(["backfills"], { pipeline_id: pipeline.id });
    return <div class="empty"><p>You may not start runs of this pipeline.</p><p><a href={list}>See its backfills</a></p></div>;
  }
  return <BackfillForm pipeline={pipeline} />;
}

function BackfillForm({ pipeline }: { pipeline: Pipeline }) {
  const zone = pipeline.schedule_timezone ?? "UTC";
  const today = dayIn(zone, now.value);
  const query = here.value.query;
  const range = rangeOf(query, today);
  const [choices, setChoices] = useState<Choices>(CHOICES);
  const command = useCommand();
  const path = pathOf("pipelines", pipeline.id, "backfill");
  const settled = useSettled(range === undefined ? undefined : previewBody(range, choices));
  const isSettled = range !== undefined && JSON.stringify(settled) === JSON.stringify(previewBody(range, choices));
  const preview = useResource<BackfillPreview | undefined>(`preview ${JSON.stringify(settled)}`, () => ({
    read: async (signal) => {
      if (settled === undefined) return { data: undefined, seq: Number.NaN };
      return ask<BackfillPreview>(path, { method: "POST", body: settled, signal });
    },
  }));
  const shown = isSettled ? preview.data.value : undefined;
  const problem = command.problem ?? preview.problem.value;
  const choose = (next: Range) => setQuery({ from: next.from, to: next.to });
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (shown === undefined) return;
    const answer = await command.request("POST", path, createBody(shown, choices));
    if (answer?.created !== undefined) go(link(["backfills", answer.created]));
  };
  const definitions = definitionsOf(pipeline).filter(({ name }) => name !== "date");
  const issues = new Map(problem?.issues.map((issue) => [issue.pointer ?? "", issue.detail]));
  const runs = shown?.dates.length ?? 0;
  return (
    <form class="backfill" onSubmit={(event) => void submit(event)}>
      <p class="faint">
        Runs the pipeline for days of the past, in {zone}. Drag over the days, or choose the first and the last.
      </p>
      <div class="bar">
        {presets(today).map(([name, own]) => <button type="button" key={name} onClick={() => choose(own)}>{name}</button>)}
        <DateField name="from" label="From" max={today} />
        <DateField name="to" label="To" max={today} />
        {range !== undefined && <span class="faint">{count(days(range.from, range.to).length, "day")}</span>}
        <span class="grow" />
        <a class="button" href={link(["backfills"], { pipeline_id: pipeline.id })}>Its backfills</a>
      </div>
      <DayPicker range={range} today={today} onChoose={choose} />
      <BackfillFields {...{ pipeline, definitions, choices, issues }} onChange={(change) => setChoices({ ...choices, ...change })} />
      <h2>Preview</h2>
      {range === undefined && <p class="faint">Choose days to see which runs the backfill has.</p>}
      {problem !== undefined && <ProblemBox problem={problem} />}
      {shown !== undefined && <PreviewList preview={shown} zone={zone} what="The backfill has" />}
      {runs > 0 && <p class="faint">{consequence(runs, choices)}</p>}
      <div class="row">
        <button type="submit" class="is-main" disabled={command.isSending || runs === 0}>
          {runs === 0 ? "Create the backfill" : `Create ${count(runs, "run")}`}
        </button>
      </div>
    </form>
  );
}

function consequence(runs: number, { order, parallel, failures }: Choices): string {
  if (runs === 1) return "It executes behind the runs that people and schedules start.";
  const atOnce = parallel === 1 ? "one after another" : `up to ${Math.min(parallel, runs)} at once`;
  const stop = failures === undefined ? "" : ` After ${count(failures, "failure")}, the runs that have not started are cancelled.`;
  return `They execute ${atOnce}, the ${order === "asc" ? "oldest" : "newest"} first, behind the runs that people and schedules start.${stop}`;
}

function DateField({ name, label, max }: { name: "from" | "to"; label: string; max: string }) {
  return (
    <label class="inline">{label}
      <input type="date" max={max} value={here.value.query.get(name) ?? ""} onChange={(event) => setQuery({ [name]: event.currentTarget.value })} />
    </label>
  );
}

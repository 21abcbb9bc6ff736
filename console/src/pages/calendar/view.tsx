// The runs of a year by day, of one pipeline or of all.

import { ask } from "../../api/client";
import type { CalendarDay } from "../../api/calendar";
import { useResource } from "../../live/resource";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { Tabs, tabOf } from "../../parts/tabs";
import { yearWords } from "./day";
import { DaysTable } from "./table";
import { Year } from "./year";

const DAYS = 365;
const TABS = [
  { id: "year", title: "Year" },
  { id: "table", title: "Table" },
] as const;

export function CalendarView({ pipeline }: { pipeline: string | undefined }) {
  const calendar = useResource<CalendarDay[]>(`calendar ${pipeline}`, () => ({
    read: (signal) => ask<CalendarDay[]>("runs/calendar", { query: { days: DAYS, pipeline_id: pipeline }, signal }),
    concerns: (event) => event.type.startsWith("run.") && (pipeline === undefined || event.pipeline_id === pipeline),
  }));
  const days = calendar.data.value;
  const problem = calendar.problem.value;
  if (problem !== undefined) return <ProblemBox problem={problem} onRetry={() => calendar.refresh()} />;
  if (days === undefined) return <Loading />;
  const words = yearWords(days);
  if (words === "") return <p class="empty">No run was created in the last {DAYS} days.</p>;
  const tab = tabOf("as", TABS);
  return (
    <>
      <div class="bar">
        <Tabs name="as" label="How the days are shown" tabs={TABS} />
        <p class="sentence">{words}. A day is one of UTC.</p>
      </div>
      {tab === "year" && <Year days={days} pipeline={pipeline} />}
      {tab === "table" && <DaysTable days={days} pipeline={pipeline} />}
      {tab === "year" && (
        <p class="legend"><span class="swatch is-success" /> succeeded <span class="swatch is-striped" /> failed <span class="swatch is-other" /> cancelled, or not finished</p>
      )}
    </>
  );
}

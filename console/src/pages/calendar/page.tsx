// The calendar of all pipelines, or of the one that the address names.

import { useEffect } from "preact/hooks";
import { watch } from "../../live/doorbell";
import { RUN_EVENTS } from "../../live/sources";
import { PipelineFilter } from "../../parts/pipeline_filter";
import { here } from "../../router/location";
import { CalendarView } from "./view";

export function CalendarPage() {
  useEffect(() => watch({ types: RUN_EVENTS }), []);
  const pipeline = here.value.query.get("pipeline_id") ?? undefined;
  return (
    <section aria-labelledby="calendar-title">
      <div class="bar"><h1 id="calendar-title">Calendar</h1><PipelineFilter place="calendar" /></div>
      <CalendarView pipeline={pipeline} />
    </section>
  );
}

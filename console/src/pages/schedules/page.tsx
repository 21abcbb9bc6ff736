// All schedules: when they fire within a day, and where their runs come together.

import type { ScheduleStatus } from "../../api/model";
import { now } from "../../live/clock";
import { useFollowed } from "../../live/follow";
import { useResource } from "../../live/resource";
import { schedulesSource } from "../../live/sources";
import { FilterBox, matches } from "../../parts/filter";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { Tabs, tabOf } from "../../parts/tabs";
import { here, link } from "../../router/location";
import { Ruler } from "./ruler";
import { SchedulesTable } from "./table";

const TABS = [
  { id: "ruler", title: "Ruler" },
  { id: "table", title: "Table" },
] as const;

const HOUR_MS = 3_600_000;

export function SchedulesPage() {
  useFollowed();
  const list = useResource<ScheduleStatus[]>("schedules", schedulesSource);
  const all = list.data.value;
  const problem = list.problem.value;
  const shown = all?.filter((own) => matches(here.value.query.get("q"), own.pipeline_name, own.pipeline_id, own.schedule));
  const tab = tabOf("as", TABS);
  return (
    <section aria-labelledby="schedules-title">
      <div class="bar">
        <h1 id="schedules-title">Schedules</h1>
        <Tabs name="as" label="How the schedules are shown" tabs={TABS} />
        <FilterBox name="q" label="Filter by name" />
      </div>
      {problem !== undefined && <ProblemBox problem={problem} onRetry={() => list.refresh()} />}
      {shown === undefined && problem === undefined && <Loading />}
      {all?.length === 0 && <div class="empty"><p>No pipeline has a schedule.</p><p><a href={link(["pipelines"])}>All pipelines</a></p></div>}
      {all !== undefined && all.length > 0 && shown?.length === 0 && <p class="empty">No schedule matches.</p>}
      {shown !== undefined && shown.length > 0 && tab === "ruler" && <Ruler schedules={shown} from={Math.floor(now.value / HOUR_MS) * HOUR_MS} />}
      {shown !== undefined && shown.length > 0 && tab === "table" && <SchedulesTable schedules={shown} />}
    </section>
  );
}

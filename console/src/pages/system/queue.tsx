// The runs that wait, by lane: each lane is a pipeline, or a backfill of it, at a priority.

import { ask } from "../../api/client";
import type { Run, RunDetail } from "../../api/model";
import { useResource } from "../../live/resource";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { readPages } from "../../live/pages";
import { Ago, Time } from "../../parts/time";
import { link } from "../../router/location";
import { pathOf } from "../../router/path";
import { count, waitingSentence } from "../../text/words";
import { lanesOf, type Lane } from "./lanes";

const PAGES_MAX = 5;
const LANES_MAX = 30;

export function Queue() {
  const list = useResource<{ runs: Run[]; isCut: boolean }>("pending", () => ({
    read: async (signal) => {
      const { data, seq, isCut } = await readPages<Run>("runs", PAGES_MAX, signal, { status: "pending" });
      return { data: { runs: data, isCut: isCut === true }, seq };
    },
    concerns: (event) => event.type.startsWith("run."),
  }));
  const found = list.data.value;
  if (list.problem.value !== undefined) return <ProblemBox problem={list.problem.value} onRetry={() => list.refresh()} />;
  if (found === undefined) return <Loading />;
  if (found.runs.length === 0) return <p class="empty">No run waits.</p>;
  const lanes = lanesOf(found.runs);
  return (
    <>
      <p class="faint">{found.isCut && "At least "}{count(found.runs.length, "run")} {found.runs.length === 1 ? "waits" : "wait"} in {count(lanes.length, "lane")}.</p>
      <table class="rows">
        <thead><tr><th>Lane</th><th>Priority</th><th class="number">Waiting</th><th>Oldest</th><th>Why it waits</th></tr></thead>
        <tbody>{lanes.slice(0, LANES_MAX).map((lane) => <LaneRow key={lane.name} lane={lane} />)}</tbody>
      </table>
      {lanes.length > LANES_MAX && <p class="faint">and {count(lanes.length - LANES_MAX, "more lane")}</p>}
    </>
  );
}

function LaneRow({ lane }: { lane: Lane }) {
  const { oldest, priority, runs } = lane;
  const detail = useResource<RunDetail>(`waiting ${oldest.id}`, () => ({
    read: (signal) => ask<RunDetail>(pathOf("runs", oldest.id), { signal }),
  }));
  const waiting = detail.data.value?.waiting;
  return (
    <tr>
      <td class="main-cell">
        <a href={link(["runs"], { status: "pending", pipeline_id: oldest.pipeline_id })} data-row>{oldest.pipeline_id}</a>
        {oldest.backfill_id !== undefined && <> <a class="chip" href={link(["backfills", oldest.backfill_id])}>backfill</a></>}
        {oldest.tenant !== undefined && <span class="chip">{oldest.tenant}</span>}
      </td>
      <td>{priority}</td>
      <td class="number">{runs}</td>
      <td><a href={link(["runs", oldest.id])}><Ago at={oldest.created_at} /></a></td>
      <td>{waiting === undefined ? <span class="faint">–</span> : <>{waitingSentence(waiting)}{waiting.until !== undefined && <>, until <Time at={waiting.until} /></>}</>}</td>
    </tr>
  );
}

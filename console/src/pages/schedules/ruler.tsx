// The fire times of the next 24 hours: a lane a schedule, and marks where some come together.

import { useRef } from "preact/hooks";
import type { ScheduleStatus } from "../../api/model";
import { useResource } from "../../live/resource";
import { gridSource } from "../../live/sources";
import { useSeen } from "../../parts/visible";
import { pipelineLink } from "../../router/tenant";
import { duration } from "../../text/duration";
import { clockOf } from "../../text/time";
import { middle, overtaken, timesOf, together } from "./ruler_times";

/** From the beginning of an hour: 24 hours from any minute of it. */
const LENGTH_MS = 25 * 3600 * 1000;
const HOURS = [0, 6, 12, 18, 24];
const RUNS = 10;
/** More times than these are a band of color. */
const TIMES_MAX = 300;

interface Props {
  schedules: readonly ScheduleStatus[];
  /** The beginning, in milliseconds. */
  from: number;
}

export function Ruler({ schedules, from }: Props) {
  const to = from + LENGTH_MS;
  const firing = schedules.filter(({ enabled, paused }) => enabled && paused === undefined);
  const lanes = firing.map((schedule) => ({ schedule, times: timesOf(schedule, from, to) }));
  const shared = together(lanes.map(({ times }) => times));
  const x = (time: number) => `${((100 * (time - from)) / LENGTH_MS).toFixed(3)}%`;
  const clock = (time: number) => clockOf(new Date(time).toISOString()).slice(0, 5);
  return (
    <div class="timeline ruler">
      <div class="axis" aria-hidden="true">
        {HOURS.map((hours) => <span key={hours} style={{ left: x(from + hours * 3_600_000) }}>{clock(from + hours * 3_600_000)}</span>)}
      </div>
      <ol>
        {lanes.map(({ schedule, times }) => <Lane key={`${schedule.tenant ?? ""} ${schedule.pipeline_id}`} {...{ schedule, times, shared, x, clock }} />)}
      </ol>
      {lanes.length === 0 && <p class="empty">No schedule fires: all are off or paused.</p>}
      <p class="legend">
        <span class="swatch is-running" /> fires, as long as its runs take <span class="swatch is-together" /> together with others{" "}
        <span class="swatch is-striped" /> the run before still executes
      </p>
    </div>
  );
}

interface LaneProps {
  schedule: ScheduleStatus;
  times: readonly number[];
  shared: ReadonlyMap<number, number>;
  x(time: number): string;
  clock(time: number): string;
}

function Lane({ schedule, times, shared, x, clock }: LaneProps) {
  const row = useRef<HTMLLIElement>(null);
  const isSeen = useSeen(row);
  const others = times.filter((time) => shared.has(time)).length;
  const words = `${schedule.pipeline_name}, ${times.length} times in 24 hours${others === 0 ? "" : `, ${others} together with other schedules`}`;
  return (
    <li class="lane" ref={row}>
      <a class="lane-name" data-row href={pipelineLink(schedule.pipeline_id, schedule, { view: "schedule" })} aria-label={words}>{schedule.pipeline_name}</a>
      <span class="track">{isSeen && <Ticks id={schedule.pipeline_id} {...{ times, shared, x, clock }} />}</span>
    </li>
  );
}

function Ticks({ id, times, shared, x, clock }: Omit<LaneProps, "schedule"> & { id: string }) {
  const grid = useResource(`grid ${id}`, () => gridSource(id, RUNS));
  const took = middle((grid.data.value?.runs ?? []).flatMap(({ duration_ms }) => (duration_ms === undefined ? [] : [duration_ms])));
  const late = overtaken(times, took);
  return (
    <>
      {times.slice(0, TIMES_MAX).map((time) => {
        const count = shared.get(time);
        const kind = late.has(time) ? "is-late" : count === undefined ? "is-running" : "is-together";
        const more = [count !== undefined && `${count} schedules at once`, late.has(time) && "the run before still executes", took !== undefined && `takes about ${duration(took)}`];
        const width = took === undefined ? "0px" : `${((100 * took) / LENGTH_MS).toFixed(3)}%`;
        return <span key={time} class={`time-bar tick ${kind}`} style={{ left: x(time), width: `max(3px, min(${width}, calc(100% - ${x(time)})))` }} title={[clock(time), ...more.filter(Boolean)].join(", ")} />;
      })}
    </>
  );
}

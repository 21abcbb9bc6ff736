// The fire times of schedules within a day, and where they come together. Pure.

import type { ScheduleStatus } from "../../api/model";
import { groups } from "../../groups";
import { fireTimes } from "./cron";

const MINUTE_MS = 60_000;
/** The API says so many times of each schedule. */
const KNOWN = 5;

/** Returns the times of a schedule within a span: those of the API, then those computed. */
export function timesOf(schedule: ScheduleStatus, from: number, to: number): number[] {
  const known = (schedule.next_runs ?? []).map((time) => Date.parse(time));
  const within = known.filter((time) => time >= from && time < to);
  const last = known.at(-1);
  if (known.length < KNOWN || last === undefined || last >= to) return within;
  try {
    return [...within, ...fireTimes(schedule.schedule, schedule.timezone, last + MINUTE_MS, to)];
  } catch {
    // A zone that the browser does not know.
    return within;
  }
}

/** Returns how many schedules fire in each minute in which several do. */
export function together(all: readonly (readonly number[])[]): Map<number, number> {
  const counts = groups(all.flatMap((times) => [...new Set(times)]), String);
  const several = [...counts].filter(([, own]) => own.length > 1);
  return new Map(several.map(([time, own]) => [Number(time), own.length]));
}

/** Returns the times at which a run that takes so long is still executing from the time before. */
export function overtaken(times: readonly number[], tookMs: number | undefined): Set<number> {
  return new Set(tookMs === undefined ? [] : times.filter((time, at) => at > 0 && time - (times[at - 1] as number) < tookMs));
}

/** The middle one of the durations. */
export function middle(durations: readonly number[]): number | undefined {
  return [...durations].sort((one, other) => one - other)[Math.floor(durations.length / 2)];
}

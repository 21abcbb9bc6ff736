// How the runs of a backfill stand together: by month, by day or by year, each with a short name.
// Pure.

import type { BackfillUnit } from "../../api/backfills";
import type { Run } from "../../api/model";
import { groups } from "../../groups";
import { monthName } from "../../text/dates";

export interface Cell {
  run: Run;
  /** What stands in the cell. */
  short: string;
  /** What the run is for, beginning with what stands in the cell. */
  name: string;
  /** The same, as its parameters have it. */
  long: string;
}

function clockIn(zone: string): Intl.DateTimeFormat {
  const options: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  try {
    return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone });
  } catch {
    return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC" });
  }
}

/** Returns the groups in their order: their names, and their cells. */
export function cellsOf(runs: readonly Run[], unit: BackfillUnit, zone: string): [string, Cell[]][] {
  const clock = clockIn(zone);
  const made = runs.map((run): Cell & { group: string } => {
    const date = run.params.date ?? run.scheduled_at?.slice(0, 10) ?? "";
    const month = monthName(date.slice(0, 7));
    if (unit === "month") return { run, group: date.slice(0, 4), short: month.slice(0, -5), name: month, long: date };
    if (unit === "day" || unit === "week") {
      const short = String(Number(date.slice(8)));
      return { run, group: month, short, name: `${short} ${month}`, long: date };
    }
    const time = run.scheduled_at === undefined ? "" : clock.format(new Date(run.scheduled_at));
    return { run, group: date, short: time, name: `${time} ${date}`, long: `${date} ${time}` };
  });
  return [...groups(made, (cell) => cell.group)];
}

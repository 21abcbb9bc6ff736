// The fire times of a cron expression within a day, for a drawing. Pure.
//
// The API computes the next five times exactly. This goes on from there, and differs at a clock
// change for schedules of fixed hours.

const MINUTE_MS = 60_000;

const NAMED: Record<string, string> = {
  "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *",
};
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const FIELDS: { least: number; most: number; names: readonly string[] }[] = [
  { least: 0, most: 59, names: [] }, { least: 0, most: 23, names: [] }, { least: 1, most: 31, names: [] },
  { least: 1, most: 12, names: MONTHS }, { least: 0, most: 7, names: WEEKDAYS },
];

type Matcher = (minute: number, hour: number, day: number, month: number, weekday: number) => boolean;

function numbers(text: string, at: number): Set<number> {
  const { least, most, names } = FIELDS[at] as (typeof FIELDS)[number];
  const number = (name: string) => {
    const found = names.indexOf(name.toLowerCase());
    return found === -1 ? Number(name) : found + least;
  };
  const made = new Set<number>();
  for (const item of text.split(",")) {
    const [range = "", step = "1"] = item.split("/");
    const [first = "", last = first] = range.split("-");
    const from = range === "*" ? least : number(first);
    let to = range === "*" ? most : number(last);
    if (at === 4 && to < from) to += 7;
    for (let own = from; own <= to; own += Math.max(1, Number(step) || 1)) made.add(at === 4 ? own % 7 : own);
  }
  return made;
}

/** Returns what an expression matches, or nothing if it is not one of five fields. */
export function matcher(expression: string): Matcher | undefined {
  const fields = (NAMED[expression] ?? expression).trim().split(/\s+/);
  if (fields.length !== 5) return undefined;
  const [minutes, hours, days, months, weekdays] = fields.map(numbers) as [Set<number>, Set<number>, Set<number>, Set<number>, Set<number>];
  const isEither = !fields[2]?.startsWith("*") && !fields[4]?.startsWith("*");
  return (minute, hour, day, month, weekday) => {
    if (!minutes.has(minute) || !hours.has(hour) || !months.has(month)) return false;
    return isEither ? days.has(day) || weekdays.has(weekday) : days.has(day) && weekdays.has(weekday);
  };
}

/** Returns the fire times from one time to another, in milliseconds. */
export function fireTimes(expression: string, zone: string, from: number, to: number): number[] {
  const own = matcher(expression);
  if (own === undefined) return [];
  const made: number[] = [];
  for (let time = Math.ceil(from / MINUTE_MS) * MINUTE_MS; time < to; time += MINUTE_MS) {
    // A minute of a zone is one of UTC, moved by what the clocks of the zone differ.
    const local = new Date(time + offsetAt(zone, time));
    const [day, month] = [local.getUTCDate(), local.getUTCMonth() + 1];
    if (own(local.getUTCMinutes(), local.getUTCHours(), day, month, local.getUTCDay())) made.push(time);
  }
  return made;
}

const offsets = new Map<string, number>();
/** Clocks change at a quarter of an hour at the earliest. */
const STEP_MS = 15 * MINUTE_MS;
const KEPT_MAX = 20_000;

function offsetAt(zone: string, time: number): number {
  const start = Math.floor(time / STEP_MS) * STEP_MS;
  const name = `${zone} ${start}`;
  const found = offsets.get(name);
  if (found !== undefined) return found;
  if (offsets.size >= KEPT_MAX) offsets.clear();
  const made = offsetOf(zone, start);
  offsets.set(name, made);
  return made;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function offsetOf(zone: string, time: number): number {
  let format = formats.get(zone);
  if (format === undefined) {
    const parts = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" } as const;
    format = new Intl.DateTimeFormat("en-US", { ...parts, hourCycle: "h23", timeZone: zone });
    formats.set(zone, format);
  }
  const shown = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]));
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = shown;
  return Date.UTC(year, month - 1, day, hour, minute) - time;
}

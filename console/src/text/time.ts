// Times in a zone: that of the browser, UTC, or another one that the address names.

import { here } from "../router/location";
import { instantOf, wallOf } from "./wall_time";

/** Returns the zone of the view, or nothing for that of the browser. */
export function zone(): string | undefined {
  const named = here.value.query.get("zone");
  return named === null || named === "" ? undefined : named;
}

/** The zone in which the view shows times: one that the browser does not know has no effect. */
export function zoneName(): string {
  return format({}, zone()).resolvedOptions().timeZone;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(options: Intl.DateTimeFormatOptions, timeZone: string | undefined): Intl.DateTimeFormat {
  const name = JSON.stringify([options, timeZone]);
  let found = formats.get(name);
  if (found === undefined) {
    found = make(options, timeZone);
    formats.set(name, found);
  }
  return found;
}

function make(options: Intl.DateTimeFormatOptions, timeZone: string | undefined): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat("en-GB", { ...options, timeZone });
  } catch {
    // A zone that the browser does not know.
    return new Intl.DateTimeFormat("en-GB", options);
  }
}

const CLOCK: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const DAY: Intl.DateTimeFormatOptions = { day: "numeric", month: "short" };
const YEAR: Intl.DateTimeFormatOptions = { year: "numeric" };
const DATE: Intl.DateTimeFormatOptions = { ...DAY, ...YEAR };

/** The time of today, or the date before it. */
export function short(time: string, now: number): string {
  const at = new Date(time);
  const timeZone = zone();
  const isSame = (unit: Intl.DateTimeFormatOptions) => format(unit, timeZone).format(at) === format(unit, timeZone).format(now);
  const clock = format(CLOCK, timeZone).format(at);
  if (isSame(DATE)) return clock;
  return `${format(isSame(YEAR) ? DAY : DATE, timeZone).format(at)}, ${clock}`;
}

export function clockOf(time: string): string {
  return format({ ...CLOCK, fractionalSecondDigits: 3 }, zone()).format(new Date(time));
}

/** The exact time with its zone, for the title of what shows it shorter. */
export function exact(time: string): string {
  const options: Intl.DateTimeFormatOptions = {
    weekday: "short", ...DATE, ...CLOCK, fractionalSecondDigits: 3, timeZoneName: "short",
  };
  return `${format(options, zone()).format(new Date(time))} · ${time}`;
}

/** Returns the time of the wire for a field of a form, which is in the zone of the view. */
export function fromField(wall: string): string | undefined {
  return instantOf(wall, zoneName())?.toISOString();
}

/** Returns a time of the address as such a field has it: one with a zone is shown in that of the view. */
export function toField(time: string): string {
  const instant = Date.parse(time);
  return time.endsWith("Z") && !Number.isNaN(instant) ? wallOf(instant, zoneName()) : time;
}

/** A time of a schedule, in its own zone. */
export function tickTime(time: string, timeZone: string): string {
  const options: Intl.DateTimeFormatOptions = {
    weekday: "short", ...DAY, hour: "2-digit", minute: "2-digit", timeZoneName: "short",
  };
  return format(options, timeZone).format(new Date(time));
}

// Times in a zone: that of the browser, UTC, or another one that the address names.

import { here } from "../router/location";

/** Returns the zone of the view, or nothing for that of the browser. */
export function zone(): string | undefined {
  const named = here.value.query.get("zone");
  return named === null || named === "" ? undefined : named;
}

export function zoneName(): string {
  return zone() ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
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
const YEAR: Intl.DateTimeFormatOptions = { ...DAY, year: "numeric" };

/** The time of today, or the date before it. */
export function short(time: string, now: number): string {
  const at = new Date(time);
  const inZone = zone();
  const day = format(YEAR, inZone);
  const clock = format(CLOCK, inZone).format(at);
  if (day.format(at) === day.format(now)) return clock;
  const isThisYear = at.getFullYear() === new Date(now).getFullYear();
  return `${format(isThisYear ? DAY : YEAR, inZone).format(at)}, ${clock}`;
}

export function clockOf(time: string, inZone = zone()): string {
  return format({ ...CLOCK, fractionalSecondDigits: 3 }, inZone).format(new Date(time));
}

/** The exact time with its zone, for the title of what shows it shorter. */
export function exact(time: string, inZone = zone()): string {
  const options: Intl.DateTimeFormatOptions = {
    weekday: "short", ...YEAR, ...CLOCK, fractionalSecondDigits: 3, timeZoneName: "short",
  };
  return `${format(options, inZone).format(new Date(time))} · ${time}`;
}

/** A time of a schedule, in its own zone. */
export function inZone(time: string, timeZone: string): string {
  const options: Intl.DateTimeFormatOptions = {
    weekday: "short", ...DAY, hour: "2-digit", minute: "2-digit", timeZoneName: "short",
  };
  return format(options, timeZone).format(new Date(time));
}

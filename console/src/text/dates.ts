// Days and months as texts like 2026-11-30 and 2026-11, which no zone changes. Pure.

const DAY_MS = 24 * 3600 * 1000;
const FIRST = /^\d{4}-\d{2}-\d{2}$/;

const at = (date: string) => new Date(`${date}T00:00:00Z`);
const dateOf = (time: Date) => time.toISOString().slice(0, 10);

export function isDate(text: string | null | undefined): text is string {
  return text !== null && text !== undefined && FIRST.test(text) && !Number.isNaN(at(text).getTime()) && dateOf(at(text)) === text;
}

export function addDays(date: string, days: number): string {
  return dateOf(new Date(at(date).getTime() + days * DAY_MS));
}

export function monthOf(date: string): string {
  return date.slice(0, 7);
}

export function addMonths(month: string, months: number): string {
  const time = at(`${month}-01`);
  time.setUTCMonth(time.getUTCMonth() + months);
  return monthOf(dateOf(time));
}

/** The weekday of a day, from Monday as 0. */
export function weekday(date: string): number {
  return (at(date).getUTCDay() + 6) % 7;
}

/** The days from one to another, both included. */
export function days(from: string, to: string): string[] {
  const made: string[] = [];
  for (let date = from; date <= to; date = addDays(date, 1)) made.push(date);
  return made;
}

/** The weeks of a month, from Monday to Sunday. Days of other months are absent. */
export function weeks(month: string): (string | undefined)[][] {
  const own = days(`${month}-01`, addDays(`${addMonths(month, 1)}-01`, -1));
  const cells = [...Array.from({ length: weekday(own[0] as string) }, () => undefined), ...own];
  const made: (string | undefined)[][] = [];
  for (let start = 0; start < cells.length; start += 7) made.push(Array.from({ length: 7 }, (_, day) => cells[start + day]));
  return made;
}

const MONTH = new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric", timeZone: "UTC" });
const LONG = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

/** Returns the text itself if it is no month. */
export function monthName(month: string): string {
  return isDate(`${month}-01`) ? MONTH.format(at(`${month}-01`)) : month;
}

export function dayName(date: string): string {
  return LONG.format(at(date));
}

/** The day that it is in a zone at a time. */
export function dayIn(zone: string, time: number): string {
  const parts = new Intl.DateTimeFormat("en-CA", { year: "numeric", month: "2-digit", day: "2-digit", timeZone: zone });
  return parts.format(time);
}

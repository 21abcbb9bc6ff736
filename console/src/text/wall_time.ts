// Instants from what a clock on a wall shows, as the fields of a form have it. Pure.

const DAY_MS = 24 * 3600 * 1000;

/** Returns how far the clocks of a zone are ahead of UTC at an instant, in milliseconds. */
function offsetAt(instant: number, timeZone: string | undefined): number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
  });
  const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
  const of = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
  const shown = Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second"));
  return shown - Math.floor(instant / 1000) * 1000;
}

/**
 * Returns the instant at which the clocks of a zone show a time such as `2026-03-01T12:00`, or
 * nothing if it is no time. Of two instants it is the first; a time that is left out moves on by
 * what is left out.
 */
export function instantOf(wall: string, timeZone: string | undefined): Date | undefined {
  const shown = Date.parse(`${wall}Z`);
  if (Number.isNaN(shown)) return undefined;
  const [before, after] = [offsetAt(shown - DAY_MS, timeZone), offsetAt(shown + DAY_MS, timeZone)];
  const found = [before, after].find((offset) => offsetAt(shown - offset, timeZone) === offset);
  return new Date(shown - (found ?? before));
}

/** Returns what the clocks of a zone show at an instant, to the minute. */
export function wallOf(instant: number, timeZone: string | undefined): string {
  return new Date(instant + offsetAt(instant, timeZone)).toISOString().slice(0, 16);
}

// Durations as people say them: rounded down, so that none is said in more than its unit has.

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.floor(ms))} ms`;
  const seconds = ms / 1000;
  if (seconds < 10) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return join(minutes, "min", Math.floor(seconds % 60), "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return join(hours, "h", minutes % 60, "min");
  return join(Math.floor(hours / 24), "d", hours % 24, "h");
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** The same, or a dash for one that is not known. */
export function durationOrDash(ms: number | undefined): string {
  return ms === undefined ? "–" : duration(ms);
}

/** Returns the milliseconds between two times of the wire, or until now. */
export function between(from: string | undefined, to: string | undefined, now: number): number | undefined {
  if (from === undefined) return undefined;
  return Math.max(0, (to === undefined ? now : Date.parse(to)) - Date.parse(from));
}

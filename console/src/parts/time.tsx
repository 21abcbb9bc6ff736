// Times and durations in the page. The exact time is in the title of each.

import { now } from "../live/clock";
import { between, duration } from "../text/duration";
import { exact, short } from "../text/time";

export function Time({ at }: { at: string | undefined }) {
  if (at === undefined) return <span class="faint">–</span>;
  return <time dateTime={at} title={exact(at)}>{short(at, now.value)}</time>;
}

/** How long something has taken, or takes so far. */
export function Took({ from, to }: { from: string | undefined; to: string | undefined }) {
  const ms = between(from, to, to === undefined ? now.value : 0);
  return ms === undefined ? <span class="faint">–</span> : <span class="number">{duration(ms)}</span>;
}

export function Ago({ at }: { at: string }) {
  const ms = Math.max(0, now.value - Date.parse(at));
  return <time dateTime={at} title={exact(at)}>{ms < 5000 ? "now" : `${duration(ms)} ago`}</time>;
}

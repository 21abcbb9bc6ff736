// Says how fresh the page is: a mark in the head, and a banner once it is stale.

import { locked } from "../api/session";
import { now } from "../live/clock";
import { retry } from "../live/doorbell";
import { state, type LiveState } from "../live/state";

const WORDS: Record<LiveState["kind"], string> = {
  idle: "",
  connecting: "Connecting",
  live: "Live",
  waiting: "Stale",
  hidden: "Asleep",
  off: "Not live",
};

export function LiveMark() {
  const { kind } = state.value;
  if (locked.value) return null;
  return <span class={`live is-${kind}`} role="status"><span class="dot" aria-hidden="true" />{WORDS[kind]}</span>;
}

export function Banner() {
  const own = state.value;
  if (locked.value || (own.kind !== "waiting" && own.kind !== "off")) return null;
  const seconds = own.kind === "waiting" ? Math.max(0, Math.ceil((own.until - now.value) / 1000)) : 0;
  const next = own.kind === "waiting" ? `Next try in ${seconds} s.` : "The page does not update by itself.";
  return (
    <div class="banner" role="status">
      <span><strong>{own.reason}.</strong> What you see may be old. {own.kind === "off" ? next : <span aria-hidden="true">{next}</span>}</span>
      {own.kind === "waiting" && <button type="button" onClick={retry}>Try now</button>}
    </div>
  );
}

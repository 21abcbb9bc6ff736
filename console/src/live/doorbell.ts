// The one stream of a tab. It rings when something has happened; listeners then look again.
//
// It goes on after the last event it had, so that nothing is missed. If the server no longer has
// the events in between, listeners take new snapshots.

import { effect } from "@preact/signals";
import { address, type Query } from "../api/client";
import type { Event } from "../api/model";
import { lock, locked } from "../api/session";
import { pause } from "./backoff";
import { state } from "./state";
import { probe, serverSent, webSocket, type Stream } from "./stream";

export interface Listener {
  /** Events in their order, all of them newer than the snapshot with which the stream began. */
  ring(events: Event[]): void;
  /** Events were missed. */
  reset(): void;
}

interface Lagged {
  type: "lagged";
  next_seq: number;
}

const HIDDEN_MS = 60_000;
/** So many refused upgrades in a row mean that something in between lets no WebSocket through. */
const UPGRADES_MAX = 2;

const listeners = new Set<Listener>();
let filter: Query = {};
/** The address of the stream, without the event after which it begins. */
let watched = "";
/** The last event that the page has had. */
let since: number | undefined;
/** The event after which the first stream of the view began. */
let begun = 0;
let stream: Stream | undefined;
let retrying: ReturnType<typeof setTimeout> | undefined;
let hiding: ReturnType<typeof setTimeout> | undefined;
let tries = 0;
let refusedUpgrades = 0;
let batch: Event[] = [];

export function listen(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Sets which events the view needs. The stream begins with the next snapshot. */
export function watch(next: Query): void {
  const { search } = address("ws", next);
  if (search === watched && stream !== undefined) return;
  stop();
  watched = search;
  filter = next;
  since = undefined;
  tries = 0;
  state.value = { kind: "idle" };
}

/** Begins the stream after a snapshot. Returns whether the snapshot is older than the stream. */
export function begin(seq: number): boolean {
  if (Number.isNaN(seq)) return false;
  if (since === undefined) {
    since = seq;
    begun = seq;
    connect();
    return false;
  }
  return seq < begun;
}

/** Tries again at once. */
export function retry(): void {
  if (since === undefined) resetAll();
  else connect();
}

function stop(): void {
  clearTimeout(retrying);
  stream?.close();
  stream = undefined;
}

function connect(): void {
  stop();
  if (since === undefined || locked.value) return;
  // An effect connects: it must not run again for each state of the stream.
  const { kind } = state.peek();
  if (document.hidden && kind === "hidden") return;
  if (kind !== "waiting") state.value = { kind: "connecting" };
  const query = { ...filter, since };
  const open = refusedUpgrades >= UPGRADES_MAX ? serverSent : webSocket;
  stream = open(query, {
    open() {
      tries = 0;
      refusedUpgrades = open === webSocket ? 0 : refusedUpgrades;
      state.value = { kind: "live" };
    },
    message: (data) => receive(data as Event | Lagged),
    close: (opened) => void ended(opened, query),
  });
}

function receive(message: Event | Lagged): void {
  if ("next_seq" in message) {
    since = message.next_seq - 1;
    flush();
    for (const listener of listeners) listener.reset();
    return;
  }
  since = message.seq;
  batch.push(message);
  if (batch.length > 1) return;
  // One update a frame. A hidden tab has no frames.
  if (document.hidden) setTimeout(flush, 1000);
  else requestAnimationFrame(flush);
}

function flush(): void {
  const events = batch;
  batch = [];
  if (events.length > 0) for (const listener of [...listeners]) listener.ring(events);
}

async function ended(opened: boolean, query: Query): Promise<void> {
  stream = undefined;
  flush();
  if (opened) return later("The connection is lost");
  const problem = await probe(query);
  if (stream !== undefined || since === undefined || state.peek().kind === "hidden") return;
  switch (problem.status) {
    case 401:
      return lock();
    case 403:
      state.value = { kind: "off", reason: "You may not follow events" };
      return;
    case 400:
    case 404:
    case 410:
      return resetAll();
    case 426:
      refusedUpgrades += 1;
      return later("No WebSocket gets through");
    default:
      return later(problem.title);
  }
}

function later(reason: string): void {
  const wait = pause(tries);
  tries += 1;
  state.value = { kind: "waiting", until: Date.now() + wait, reason };
  clearTimeout(retrying);
  retrying = setTimeout(connect, wait);
}

/** The stored events do not reach back to the last one: takes new snapshots, then begins again. */
function resetAll(): void {
  since = undefined;
  tries += 1;
  const wait = tries < 2 ? 0 : pause(tries);
  clearTimeout(retrying);
  retrying = setTimeout(() => {
    for (const listener of listeners) listener.reset();
  }, wait);
}

function hide(): void {
  clearTimeout(hiding);
  if (document.hidden) {
    hiding = setTimeout(() => {
      stop();
      state.value = { kind: "hidden" };
    }, HIDDEN_MS);
  } else if (stream === undefined) {
    state.value = { kind: "connecting" };
    retry();
  }
}

export function watchDoorbell(): void {
  document.addEventListener("visibilitychange", hide);
  // A tab that was opened behind another one hears of no change.
  if (document.hidden) hide();
  addEventListener("online", () => {
    if (state.value.kind === "waiting") connect();
  });
  effect(() => {
    if (locked.value) stop();
    else if (since !== undefined) connect();
  });
}

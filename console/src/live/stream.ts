// One stream of events: over a WebSocket, or as server-sent events where no WebSocket gets through.

import { address, authorization, isUnknown, type Query } from "../api/client";
import { parse } from "../api/json";
import { Problem } from "../api/problem";
import { key } from "../api/session";

export interface Handlers {
  open(): void;
  message(data: unknown): void;
  /** The stream has ended. `opened` says whether it ever was open. */
  close(opened: boolean): void;
}

export interface Stream {
  close(): void;
}

export function webSocket(query: Query, handlers: Handlers): Stream {
  const url = address("ws", query);
  url.protocol = url.protocol.replace("http", "ws");
  const protocols = key() === "" ? ["floret"] : ["floret", `bearer.${key()}`];
  let socket: WebSocket;
  try {
    socket = new WebSocket(url, protocols);
  } catch {
    // A key with characters that no subprotocol has.
    queueMicrotask(() => handlers.close(false));
    return { close: () => undefined };
  }
  let opened = false;
  let isOurs = false;
  socket.onopen = () => {
    opened = true;
    handlers.open();
  };
  socket.onmessage = (message) => handlers.message(parse(String(message.data)));
  socket.onclose = () => {
    if (!isOurs) handlers.close(opened);
  };
  return {
    close() {
      isOurs = true;
      socket.close();
    },
  };
}

/** `EventSource` cannot send a key, so the page reads the stream itself. */
export function serverSent(query: Query, handlers: Handlers): Stream {
  const control = new AbortController();
  let opened = false;
  const run = async () => {
    const response = await get("events", query, control.signal);
    if (!response.ok || response.body === null) return;
    opened = true;
    handlers.open();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) deliver(block, handlers);
    }
  };
  run()
    // Whatever has ended the stream, its end is what counts.
    .catch(() => undefined)
    .finally(() => {
      if (!control.signal.aborted) handlers.close(opened);
    });
  return { close: () => control.abort() };
}

function get(path: string, query: Query, signal?: AbortSignal): Promise<Response> {
  return fetch(address(path, query), { headers: authorization(), redirect: "manual", signal: signal ?? null });
}

function deliver(block: string, handlers: Handlers): void {
  const data = block.split("\n").filter((line) => line.startsWith("data: "));
  if (data.length > 0) handlers.message(parse(data.map((line) => line.slice(6)).join("\n")));
}

/** Browsers hide why an upgrade failed: asks the same address, and returns the problem. */
export async function probe(query: Query): Promise<Problem> {
  const response = await get("ws", query).catch(() => undefined);
  if (response === undefined) return Problem.unreachable();
  if (isUnknown(response)) return Problem.unauthenticated();
  const text = await response.text().catch(() => "");
  let body: unknown;
  try {
    body = parse(text);
  } catch {
    body = undefined;
  }
  return Problem.of(response.status, body);
}

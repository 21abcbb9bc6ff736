// What the page knows about its freshness.

import { signal } from "@preact/signals";

export type LiveState =
  | { kind: "idle" }
  | { kind: "connecting" }
  | { kind: "live" }
  | { kind: "waiting"; until: number; reason: string }
  | { kind: "hidden" }
  | { kind: "off"; reason: string };

export const state = signal<LiveState>({ kind: "idle" });

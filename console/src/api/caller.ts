// What the caller may do, as the API says. The page offers nothing else.

import { effect, signal } from "@preact/signals";
import { pause } from "../live/backoff";
import { ask } from "./client";
import type { Capabilities } from "./model";
import { Problem } from "./problem";
import { locked } from "./session";

export const capabilities = signal<Capabilities | undefined>(undefined);
export const refusal = signal<Problem | undefined>(undefined);

export function may(permission: string): boolean {
  return capabilities.value?.caller.permissions.includes(permission) ?? false;
}

async function load(signal: AbortSignal): Promise<void> {
  for (let tries = 0; !signal.aborted; tries += 1) {
    try {
      const { data } = await ask<Capabilities>("capabilities", { signal });
      if (signal.aborted) return;
      capabilities.value = data;
      refusal.value = undefined;
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      refusal.value = error;
      if (!error.isTransient) return;
    }
    await new Promise((resolve) => setTimeout(resolve, pause(tries)));
  }
}

/** Asks once at the start, and again for another key. Nothing is known of a locked out caller. */
export function watchCaller(): void {
  effect(() => {
    capabilities.value = undefined;
    refusal.value = undefined;
    if (locked.value) return;
    const control = new AbortController();
    void load(control.signal);
    return () => control.abort();
  });
}

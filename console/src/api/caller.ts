// What the caller may do, as the API says. The page offers nothing else.

import { effect, signal } from "@preact/signals";
import { ask } from "./client";
import type { Capabilities } from "./model";
import { Problem } from "./problem";
import { locked } from "./session";

export const capabilities = signal<Capabilities | undefined>(undefined);
export const refusal = signal<Problem | undefined>(undefined);

export function may(permission: string): boolean {
  return capabilities.value?.caller.permissions.includes(permission) ?? false;
}

async function load(): Promise<void> {
  try {
    capabilities.value = (await ask<Capabilities>("capabilities")).data;
    refusal.value = undefined;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    refusal.value = error;
    if (error.isTransient) setTimeout(() => void load(), 2000);
  }
}

/** Asks once at the start, and again for another key. */
export function watchCaller(): void {
  effect(() => {
    if (!locked.value) void load();
  });
}

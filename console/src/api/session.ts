// Who the caller is: the key that it typed in, and whether the API knows it.

import { signal } from "@preact/signals";

const NAME = `floret-key ${new URL(document.baseURI).pathname}`;

/** Whether the API has refused the caller as unknown. Every loop stops until this changes. */
export const locked = signal(false);

export function key(): string {
  return sessionStorage.getItem(NAME) ?? "";
}

/** Keeps a key for this tab, and lets the loops go on. */
export function unlock(given: string): void {
  if (given === "") sessionStorage.removeItem(NAME);
  else sessionStorage.setItem(NAME, given);
  locked.value = false;
}

export function lock(): void {
  locked.value = true;
}

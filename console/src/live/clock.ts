// The time, for durations that grow. It stands still while nobody looks.

import { signal } from "@preact/signals";

export const now = signal(Date.now());

export function watchClock(): void {
  setInterval(() => {
    if (!document.hidden) now.value = Date.now();
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    now.value = Date.now();
  });
}

// Bounds what a tab reads because something has happened: some reads at once after a quiet time,
// then two a second, in the order in which they were asked for.

const AT_ONCE = 4;
const EVERY_MS = 500;

let left = AT_ONCE;
let countedAt = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
const queue = new Set<() => void>();

/** Calls back as soon as the tab may read, never at once. Returns what gives the place up. */
export function enter(call: () => void): () => void {
  // Another call of the same function would have the same place.
  const own = () => call();
  queue.add(own);
  queueMicrotask(next);
  return () => queue.delete(own);
}

function next(): void {
  const now = performance.now();
  const gained = Math.floor((now - countedAt) / EVERY_MS);
  left = Math.min(AT_ONCE, left + gained);
  countedAt = left === AT_ONCE ? now : countedAt + gained * EVERY_MS;
  for (const call of queue) {
    if (left === 0) break;
    left -= 1;
    queue.delete(call);
    call();
  }
  if (queue.size === 0 || timer !== undefined) return;
  timer = setTimeout(() => {
    timer = undefined;
    next();
  }, countedAt + EVERY_MS - now);
}

// Holds the place of what is not there yet, and shows only if it takes long.

export function Loading() {
  return <p class="loading" role="status">Loading…</p>;
}

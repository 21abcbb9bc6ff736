// Paths from their parts, of the page and of the API: each part is encoded. Pure.

export function pathOf(...parts: readonly string[]): string {
  return parts.map(encodeURIComponent).join("/");
}

// Where the page is: the path below the mount names an object, the query is the state of its view.

import { signal } from "@preact/signals";
import { pathOf } from "./path";

export interface Location {
  path: string[];
  query: URLSearchParams;
}

/** What goes along to every other view. */
const CARRIED = ["zone", "tenant"];
const base = new URL(document.baseURI);

function current(): Location {
  const path = location.pathname.slice(base.pathname.length).split("/");
  const decoded = path.filter((part) => part !== "").map(decode);
  return { path: decoded, query: new URLSearchParams(location.search) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const here = signal<Location>(current());

/** Returns the address of an object: its parts are encoded, and carried parameters stay. */
export function link(parts: readonly string[], query: Record<string, string> = {}): string {
  const search = new URLSearchParams();
  for (const name of CARRIED) {
    const value = here.value.query.get(name);
    if (value !== null) search.set(name, value);
  }
  for (const [name, value] of Object.entries(query)) search.set(name, value);
  const text = search.toString();
  return new URL(pathOf(...parts), base).pathname + (text === "" ? "" : `?${text}`);
}

export function go(address: string): void {
  history.pushState(null, "", address);
  here.value = current();
  window.scrollTo(0, 0);
}

/** Changes parameters of the view. An absent value removes one. */
export function setQuery(change: Record<string, string | undefined>, how: "push" | "replace" = "replace"): void {
  const query = new URLSearchParams(here.value.query);
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined || value === "") query.delete(name);
    else query.set(name, value);
  }
  write(query, how);
}

/** Sets all values of a parameter that may be there several times. */
export function setAll(name: string, values: readonly string[]): void {
  const query = new URLSearchParams(here.value.query);
  query.delete(name);
  for (const value of values) query.append(name, value);
  query.delete("after");
  write(query, "replace");
}

function write(query: URLSearchParams, how: "push" | "replace"): void {
  const text = query.toString();
  const target = location.pathname + (text === "" ? "" : `?${text}`);
  if (how === "push") history.pushState(null, "", target);
  else history.replaceState(null, "", target);
  here.value = current();
}

/** Follows links of the page without loading it again. */
export function watchLocation(): void {
  addEventListener("popstate", () => {
    here.value = current();
  });
  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target.closest("a[href]") : null;
    if (!(target instanceof HTMLAnchorElement) || !isOwn(event, target)) return;
    event.preventDefault();
    go(target.href);
  });
}

function isOwn(event: MouseEvent, target: HTMLAnchorElement): boolean {
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  const isHere = target.origin === base.origin && target.pathname.startsWith(base.pathname);
  const isPage = !target.hasAttribute("download") && !target.hasAttribute("data-plain") && target.target === "";
  return isPlain && isHere && isPage && !event.defaultPrevented;
}

// Keys that work in every view. Rows that can be reached with `j` and `k` have `data-row`.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { go, link } from "../router/location";
import { PLACES } from "./places";

export const opened = signal<"palette" | "help" | undefined>(undefined);

let isGo = false;

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}

function move(step: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")];
  const at = rows.findIndex((row) => row === document.activeElement || row.contains(document.activeElement));
  const next = rows[at === -1 ? (step > 0 ? 0 : rows.length - 1) : at + step];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function press(event: KeyboardEvent): void {
  const isCommand = event.ctrlKey || event.metaKey;
  if (isCommand && event.key.toLowerCase() === "k") {
    event.preventDefault();
    opened.value = "palette";
    return;
  }
  if (isCommand || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]") !== null) return;
  const place = isGo ? PLACES.find(({ key }) => key === event.key) : undefined;
  isGo = event.key === "g";
  if (place !== undefined) go(link([place.id]));
  else if (event.key === "?") opened.value = "help";
  else if (event.key === "/") focusFilter(event);
  else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
}

function focusFilter(event: KeyboardEvent): void {
  const filter = document.querySelector<HTMLElement>("[data-filter]");
  if (filter === null) opened.value = "palette";
  else filter.focus();
  event.preventDefault();
}

export function Keyboard() {
  useEffect(() => {
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
  return null;
}

// The views and dialogs of a script and a style of their own, which are loaded when somebody opens
// one.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { Loading } from "./loading";

declare const MORE_STYLE: string;

type Parts = typeof import("../pages/more");

const loaded = signal<Parts | "failed" | undefined>(undefined);
let isAsked = false;

function styled(): Promise<void> {
  return new Promise((resolve, reject) => {
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = new URL(MORE_STYLE, document.baseURI).href;
    sheet.onload = () => resolve();
    sheet.onerror = () => reject(new Error("a style is gone"));
    document.head.append(sheet);
  });
}

async function load(): Promise<void> {
  if (isAsked) return;
  isAsked = true;
  const [more] = await Promise.all([import("../pages/more"), styled()]);
  loaded.value = more;
}

/** Shows something of them once they are loaded. */
export function More({ show }: { show(parts: Parts): ComponentChildren }) {
  useEffect(() => {
    load().catch(() => (loaded.value = "failed"));
  }, []);
  if (loaded.value === undefined) return <Loading />;
  if (loaded.value !== "failed") return <>{show(loaded.value)}</>;
  return (
    <div class="problem" role="alert">
      <strong>This part of the page could not be loaded</strong>
      <p>The server does not answer, or it has another version of the console since you opened the page.</p>
      <p class="ways"><button type="button" onClick={() => location.reload()}>Load the page again</button></p>
    </div>
  );
}

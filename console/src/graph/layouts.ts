// Asks the worker for layouts, and keeps the newest ones.

import type { Graph, Layout } from "./layout";

declare const LAYOUT_WORKER: string;

interface Answer {
  id: number;
  layout: Layout;
  ms: number;
}

interface Policy {
  createScriptURL(url: string): string;
}

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): Policy;
}

const KEPT_MAX = 20;
const kept = new Map<string, Promise<Layout>>();
const waiting = new Map<number, (layout: Layout) => void>();
let worker: Worker | undefined;
let newest = 0;

/** The one address that the page may run as a script, where the browser checks such addresses. */
function scriptUrl(): string {
  const url = new URL(LAYOUT_WORKER, document.baseURI).href;
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  if (trustedTypes === undefined) return url;
  return trustedTypes.createPolicy("floret", { createScriptURL: () => url }).createScriptURL(url);
}

function start(): Worker {
  const started = new Worker(scriptUrl(), { type: "module" });
  started.onmessage = ({ data }: MessageEvent<Answer>) => {
    performance.measure("floret layout", { start: performance.now() - data.ms, duration: data.ms });
    waiting.get(data.id)?.(data.layout);
    waiting.delete(data.id);
  };
  return started;
}

export function layoutOf(name: string, graph: Graph): Promise<Layout> {
  const found = kept.get(name);
  if (found !== undefined) return found;
  worker ??= start();
  newest += 1;
  const id = newest;
  const made = new Promise<Layout>((resolve) => waiting.set(id, resolve));
  worker.postMessage({ id, graph });
  kept.set(name, made);
  const oldest = kept.keys().next().value;
  if (kept.size > KEPT_MAX && oldest !== undefined) kept.delete(oldest);
  return made;
}

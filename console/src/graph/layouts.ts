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
const waiting = new Map<number, { resolve(layout: Layout): void; reject(error: Error): void }>();
let worker: Worker | undefined;
let policy: Policy | undefined;
let newest = 0;

/** The one address that the page may run as a script, where the browser checks such addresses. */
function scriptUrl(): string {
  const url = new URL(LAYOUT_WORKER, document.baseURI).href;
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  if (trustedTypes === undefined) return url;
  // A browser lets a page make a policy once.
  policy ??= trustedTypes.createPolicy("floret", { createScriptURL: () => url });
  return policy.createScriptURL(url);
}

function start(): Worker {
  const started = new Worker(scriptUrl(), { type: "module" });
  started.onmessage = ({ data }: MessageEvent<Answer>) => {
    performance.measure("floret layout", { start: performance.now() - data.ms, duration: data.ms });
    waiting.get(data.id)?.resolve(data.layout);
    waiting.delete(data.id);
  };
  started.onerror = () => {
    for (const { reject } of waiting.values()) reject(new Error("the layout worker has failed"));
    waiting.clear();
    kept.clear();
    started.terminate();
    worker = undefined;
  };
  return started;
}

/** Returns the layout of a graph. It is rejected if the worker fails; the next one starts another. */
export function layoutOf(name: string, graph: Graph): Promise<Layout> {
  const found = kept.get(name);
  if (found !== undefined) return found;
  worker ??= start();
  newest += 1;
  const id = newest;
  const made = new Promise<Layout>((resolve, reject) => waiting.set(id, { resolve, reject }));
  worker.postMessage({ id, graph });
  kept.set(name, made);
  const oldest = kept.keys().next().value;
  if (kept.size > KEPT_MAX && oldest !== undefined) kept.delete(oldest);
  return made;
}

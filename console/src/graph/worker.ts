// Lays graphs out beside the page, so that it stays responsive.

import { layout, type Graph } from "./layout";

interface Asked {
  id: number;
  graph: Graph;
}

// The page alone talks to its worker.
self.onmessage = ({ data }: MessageEvent<Asked>) => {
  const from = performance.now();
  const made = layout(data.graph);
  const answer = { id: data.id, layout: made, ms: performance.now() - from };
  (self as unknown as { postMessage(message: unknown): void }).postMessage(answer);
};

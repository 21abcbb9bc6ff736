// The mark of a status: a shape of its own for each, so that no color is needed to tell them apart.

import type { JSX } from "preact";
import type { NodeStatus } from "../api/model";

const SHAPES: Record<NodeStatus, JSX.Element> = {
  success: <><circle cx="6" cy="6" r="6" /><path class="cut" d="M3.2 6.2l2 2 3.6-4" /></>,
  failed: <><path d="M1.2 0h9.6L12 1.2v9.6L10.8 12H1.2L0 10.8V1.2z" /><path class="cut" d="M3.6 3.6l4.8 4.8m0-4.8l-4.8 4.8" /></>,
  running: <><circle class="ring" cx="6" cy="6" r="4.9" /><path class="arc" d="M6 1.1A4.9 4.9 0 0 1 10.9 6" /></>,
  pending: <><circle class="ring" cx="6" cy="6" r="4.9" /><circle cx="6" cy="6" r="1.4" /></>,
  cancelled: <><circle class="line" cx="6" cy="6" r="5" /><path class="line" d="M2.6 9.4l6.8-6.8" /></>,
  skipped: <path class="line" d="M1.5 2.5L6 6l-4.5 3.5M6.5 2.5L11 6l-4.5 3.5" />,
};

export function Mark({ status, x, y }: { status: NodeStatus; x?: number; y?: number }) {
  return (
    <svg class={`mark is-${status}`} viewBox="0 0 12 12" width="12" height="12" x={x} y={y} aria-hidden="true">
      {SHAPES[status]}
    </svg>
  );
}

const WORDS: Record<NodeStatus, string> = {
  success: "Success",
  failed: "Failed",
  running: "Running",
  pending: "Pending",
  cancelled: "Cancelled",
  skipped: "Skipped",
};

export function Status({ status, isCancelling = false }: { status: NodeStatus; isCancelling?: boolean }) {
  const word = isCancelling && status === "running" ? "Cancelling" : WORDS[status];
  return (
    <span class={`status is-${status}`}>
      <Mark status={status} />
      {word}
    </span>
  );
}

// The letters of a grid. Pure.

import type { NodeStatus } from "../../api/model";

const LETTERS: Record<string, NodeStatus> = {
  p: "pending",
  r: "running",
  s: "success",
  f: "failed",
  c: "cancelled",
  k: "skipped",
};

/** Returns the status of a letter, or nothing for a run whose version does not have the node. */
export function statusOf(letter: string | undefined): NodeStatus | undefined {
  return letter === undefined ? undefined : LETTERS[letter];
}

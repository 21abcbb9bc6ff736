// A run as a column: as high as its duration, with its mark below. It leads to the run.

import type { NodeStatus } from "../api/model";
import { Mark } from "./mark";

interface Props {
  status: NodeStatus;
  href: string;
  words: string;
  /** The duration, and the one that has the whole height, in milliseconds. */
  ms: number | undefined;
  longest: number;
  /** The height of the longest, in pixels. */
  room: number;
  /** Whether the page shows this run. */
  isOwn?: boolean;
}

export function Column({ status, href, words, ms = 0, longest, room, isOwn = false }: Props) {
  const height = Math.max(2, Math.round((room * ms) / longest));
  return (
    <a class={isOwn ? "column is-own" : "column"} href={href} aria-current={isOwn ? "true" : undefined} title={words} aria-label={words}>
      <span class={`height is-${status}`} style={{ height: `${height}px` }} />
      <Mark status={status} />
    </a>
  );
}

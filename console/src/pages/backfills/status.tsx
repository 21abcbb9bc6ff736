// The status of a backfill. Nothing else has the status paused.

import type { Backfill } from "../../api/backfills";
import { Status } from "../../parts/mark";

export function BackfillStatus({ backfill: { status } }: { backfill: Backfill }) {
  if (status !== "paused") return <Status status={status} />;
  return (
    <span class="status is-paused">
      <svg class="mark" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
        <circle class="ring" cx="6" cy="6" r="4.9" />
        <path class="line" d="M4.6 4v4M7.4 4v4" />
      </svg>
      Paused
    </span>
  );
}

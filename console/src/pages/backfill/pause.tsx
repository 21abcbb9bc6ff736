// Pauses a backfill, or ends its pause.

import type { Backfill } from "../../api/backfills";
import { PauseForm } from "../../parts/pause";
import { pathOf } from "../../router/path";

interface Props {
  backfill: Backfill;
  onClose(): void;
  onDone(): void;
}

export function PauseBackfill({ backfill, ...others }: Props) {
  return (
    <PauseForm
      name="the backfill"
      path={pathOf("backfills", backfill.id)}
      paused={backfill.paused}
      pauses="Its pending runs wait. Runs that execute go on, and so do other runs of the pipeline."
      unpauses="Its waiting runs start."
      {...others}
    />
  );
}

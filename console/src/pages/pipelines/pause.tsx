// Pauses a pipeline, or ends its pause.

import type { Pause } from "../../api/model";
import { PauseForm } from "../../parts/pause";
import { pathOf } from "../../router/path";
import { tenantOf } from "../../router/tenant";
import type { Owned } from "../../tenants";

interface Props {
  pipeline: Owned & { id: string; name: string; paused?: Pause };
  onClose(): void;
  onDone(): void;
}

export function PauseDialog({ pipeline, ...others }: Props) {
  return (
    <PauseForm
      name={`“${pipeline.name}”`}
      path={pathOf("pipelines", pipeline.id)}
      query={tenantOf(pipeline)}
      paused={pipeline.paused}
      pauses="Its pending runs wait, and its schedule creates no run. Runs that execute go on."
      unpauses="Its waiting runs start. Ticks that were skipped are not caught up."
      {...others}
    />
  );
}

// Pauses a pipeline, or ends its pause, after it has said what that means.

import { useState } from "preact/hooks";
import type { Pause } from "../../api/model";
import { useCommand } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { ProblemBox } from "../../parts/problem";
import { Time } from "../../parts/time";
import { pathOf } from "../../router/path";
import { tenantOf } from "../../router/tenant";
import type { Owned } from "../../tenants";

interface Props {
  pipeline: Owned & { id: string; name: string; paused?: Pause };
  onClose(): void;
  onDone(): void;
}

export function PauseDialog({ pipeline, onClose, onDone }: Props) {
  const [reason, setReason] = useState("");
  const command = useCommand();
  const { id, name, paused } = pipeline;
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const body = reason.trim() === "" || paused !== undefined ? {} : { reason: reason.trim() };
    const path = pathOf("pipelines", id, paused === undefined ? "pause" : "unpause");
    if ((await command.send(path, body, tenantOf(pipeline))) === undefined) return;
    onClose();
    onDone();
  };
  return (
    <Dialog title={paused === undefined ? `Pause “${name}”` : `Unpause “${name}”`} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        {paused === undefined ? (
          <>
            <p>Its pending runs wait, and its schedule creates no run. Runs that execute go on.</p>
            <label for="pause-reason">Reason</label>
            <input id="pause-reason" maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
          </>
        ) : (
          <p>
            Paused since <Time at={paused.at} />{paused.by !== undefined && ` by ${paused.by}`}{paused.reason !== undefined && `: ${paused.reason}`}.
            Its waiting runs start. Ticks that were skipped are not caught up.
          </p>
        )}
        {command.problem !== undefined && <ProblemBox problem={command.problem} />}
        <div class="row is-end">
          <button type="button" onClick={onClose}>Close</button>
          <button type="submit" class="is-main" disabled={command.isSending}>{paused === undefined ? "Pause" : "Unpause"}</button>
        </div>
      </form>
    </Dialog>
  );
}

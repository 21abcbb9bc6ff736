// Cancels a run, after it has said what still finishes.

import { useState } from "preact/hooks";
import type { RunDetail } from "../../api/model";
import { useCommand } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { ProblemBox } from "../../parts/problem";
import { pathOf } from "../../router/path";
import { count, someOf } from "../../text/words";

interface Props {
  run: RunDetail;
  onClose(): void;
  onDone(): void;
}

function consequence(run: RunDetail, isForced: boolean): string {
  const running = run.node_runs.filter((node) => node.status === "running").map((node) => node.node_id);
  const open = run.node_runs.filter((node) => node.status === "pending").length;
  if (run.status === "pending") return "The run has not started. It is cancelled at once.";
  const end = isForced ? "get a signal to stop, and are abandoned after 30 s" : "may finish";
  const now = running.length === 0 ? "Nothing executes at the moment." : `Still running: ${someOf(running, 5)}. They ${end}.`;
  return open === 0 ? now : `${now} ${count(open, "node")} will not start.`;
}

export function CancelDialog({ run, onClose, onDone }: Props) {
  const [isForced, setForced] = useState(run.cancelling === true);
  const [reason, setReason] = useState("");
  const command = useCommand();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const body = reason.trim() === "" ? {} : { reason: reason.trim() };
    const answer = await command.send(pathOf("runs", run.id, "cancel"), body, isForced ? { force: true } : {});
    if (answer !== undefined) onDone();
  };
  return (
    <Dialog title="Cancel the run" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <p>{consequence(run, isForced)}</p>
        <label class="check">
          <input type="checkbox" checked={isForced} disabled={run.cancelling === true} onChange={(event) => setForced(event.currentTarget.checked)} />
          By force: stop what executes
        </label>
        <label for="reason">Reason</label>
        <input id="reason" maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        {command.problem !== undefined && <ProblemBox problem={command.problem} />}
        <div class="row is-end">
          <button type="button" onClick={onClose}>Leave it running</button>
          <button type="submit" class="is-danger" disabled={command.isSending}>{isForced ? "Cancel by force" : "Cancel the run"}</button>
        </div>
      </form>
    </Dialog>
  );
}

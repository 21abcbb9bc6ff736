// Cancels a backfill, after it has said what still finishes.

import { useState } from "preact/hooks";
import type { Backfill } from "../../api/backfills";
import { useCommand } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { ProblemBox } from "../../parts/problem";
import { pathOf } from "../../router/path";
import { count } from "../../text/words";

interface Props {
  backfill: Backfill;
  onClose(): void;
  onDone(): void;
}

function consequence({ counts: { pending, running } }: Backfill, isForced: boolean): string {
  const waiting = `${count(pending, "run")} that ${pending === 1 ? "waits" : "wait"} will not start.`;
  if (running === 0) return waiting;
  const end = isForced ? "gets a signal to stop, and is abandoned after 30 s" : "lets its executing nodes finish, and starts no other";
  return `${waiting} ${count(running, "run")} ${running === 1 ? "executes and" : "execute: each"} ${end}.`;
}

export function CancelBackfill({ backfill, onClose, onDone }: Props) {
  const [isForced, setForced] = useState(false);
  const [reason, setReason] = useState("");
  const command = useCommand();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const body = reason.trim() === "" ? {} : { reason: reason.trim() };
    const answer = await command.send(pathOf("backfills", backfill.id, "cancel"), body, isForced ? { force: true } : {});
    if (answer !== undefined) onDone();
  };
  return (
    <Dialog title="Cancel the backfill" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <p>{consequence(backfill, isForced)} What has succeeded stays.</p>
        <label class="check">
          <input type="checkbox" checked={isForced} onChange={(event) => setForced(event.currentTarget.checked)} />
          By force: stop what executes
        </label>
        <label for="reason">Reason</label>
        <input id="reason" maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        {command.problem !== undefined && <ProblemBox problem={command.problem} />}
        <div class="row is-end">
          <button type="button" onClick={onClose}>Let it go on</button>
          <button type="submit" class="is-danger" disabled={command.isSending}>{isForced ? "Cancel by force" : "Cancel the backfill"}</button>
        </div>
      </form>
    </Dialog>
  );
}

// Deletes old runs, after a preview of how many.

import { useState } from "preact/hooks";
import { ask } from "../../api/client";
import { useResource } from "../../live/resource";
import { useCommand } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { useSettled } from "../../parts/settled";
import { count } from "../../text/words";

const DAYS = 30;

interface Purged {
  deleted: number;
  days: number;
}

export function PurgeDialog({ onClose, onDone }: { onClose(): void; onDone(): void }) {
  const [days, setDays] = useState(String(DAYS));
  const [reason, setReason] = useState("");
  const [done, setDone] = useState<Purged>();
  const number = /^[1-9]\d{0,4}$/.test(days) ? Number(days) : undefined;
  const settled = useSettled(number);
  const command = useCommand();
  const preview = useResource<Purged | undefined>(`purge ${settled}`, () => ({
    read: async (signal) => {
      if (settled === undefined) return { data: undefined, seq: Number.NaN };
      return ask<Purged>("system/purge", { method: "POST", body: { days: settled, preview: true }, signal });
    },
  }));
  const shown = settled === number ? preview.data.value : undefined;
  const problem = command.problem ?? preview.problem.value;
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (done !== undefined) return onDone();
    const answer = await command.send<Purged>("system/purge", { days: number, ...(reason.trim() === "" ? {} : { reason: reason.trim() }) });
    if (answer !== undefined) setDone(answer);
  };
  return (
    <Dialog title="Delete old runs" onClose={done === undefined ? onClose : onDone}>
      <form onSubmit={(event) => void submit(event)}>
        {done === undefined && (
          <>
            <label>Finished at least so many days ago
              <input type="number" min="1" max="36500" required value={days} onInput={(event) => setDays(event.currentTarget.value)} />
            </label>
            <label>Reason
              <input maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
            </label>
            {shown === undefined && problem === undefined && number !== undefined && <Loading />}
            {shown !== undefined && <p>{count(shown.deleted, "run")} with {shown.deleted === 1 ? "its" : "their"} logs and outputs {shown.deleted === 1 ? "is" : "are"} deleted, and cannot be brought back. Runs that a resume or a notifier still needs stay.</p>}
          </>
        )}
        {done !== undefined && <p>{count(done.deleted, "run")} {done.deleted === 1 ? "was" : "were"} deleted.</p>}
        {problem !== undefined && <ProblemBox problem={problem} />}
        <div class="row is-end">
          {done === undefined && <button type="button" onClick={onClose}>Close</button>}
          <button type="submit" class={done === undefined ? "is-danger" : "is-main"} disabled={command.isSending || (done === undefined && (shown === undefined || shown.deleted === 0))}>{done !== undefined ? "Done" : "Delete them"}</button>
        </div>
      </form>
    </Dialog>
  );
}

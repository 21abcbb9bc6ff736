// Pauses a pipeline or a backfill, or ends its pause, after it has said what that means.

import { useState } from "preact/hooks";
import type { Pause } from "../api/model";
import type { Query } from "../api/client";
import { useCommand } from "./command";
import { Dialog } from "./dialog";
import { ProblemBox } from "./problem";
import { Time } from "./time";

interface Props {
  name: string;
  path: string;
  query?: Query;
  paused: Pause | undefined;
  /** What a pause and what its end do. */
  pauses: string;
  unpauses: string;
  onClose(): void;
  onDone(): void;
}

export function PauseForm({ name, path, query, paused, pauses, unpauses, onClose, onDone }: Props) {
  const [reason, setReason] = useState("");
  const command = useCommand();
  const [action, word] = paused === undefined ? (["pause", "Pause"] as const) : (["unpause", "Unpause"] as const);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const body = reason.trim() === "" || paused !== undefined ? {} : { reason: reason.trim() };
    if ((await command.send(`${path}/${action}`, body, query)) === undefined) return;
    onClose();
    onDone();
  };
  return (
    <Dialog title={`${word} ${name}`} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        {paused === undefined ? (
          <>
            <p>{pauses}</p>
            <label for="pause-reason">Reason</label>
            <input id="pause-reason" maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
          </>
        ) : (
          <p>
            Paused since <Time at={paused.at} />{paused.by !== undefined && ` by ${paused.by}`}{paused.reason !== undefined && `: ${paused.reason}`}.
            {" "}{unpauses}
          </p>
        )}
        {command.problem !== undefined && <ProblemBox problem={command.problem} />}
        <div class="row is-end">
          <button type="button" onClick={onClose}>Close</button>
          <button type="submit" class="is-main" disabled={command.isSending}>{word}</button>
        </div>
      </form>
    </Dialog>
  );
}

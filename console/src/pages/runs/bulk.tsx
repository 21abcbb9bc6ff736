// Cancels or repeats the chosen runs, after a preview of what that does.

import { useState } from "preact/hooks";
import { may } from "../../api/caller";
import { ask } from "../../api/client";
import type { BulkOutcome } from "../../api/model";
import { useResource } from "../../live/resource";
import { useCommand } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { count, shortId } from "../../text/words";

type Act = "cancel" | "rerun";

interface BarProps {
  chosen: ReadonlySet<string>;
  onDone(): void;
  onClear(): void;
}

export function BulkBar({ chosen, onDone, onClear }: BarProps) {
  const [act, setAct] = useState<Act>();
  return (
    <div class="bulk" role="group" aria-label="Chosen runs">
      <strong>{count(chosen.size, "run")} chosen</strong>
      {may("runs.cancel") && <button type="button" onClick={() => setAct("cancel")}>Cancel…</button>}
      {may("pipelines.run") && <button type="button" onClick={() => setAct("rerun")}>Rerun…</button>}
      <button type="button" class="plain" onClick={onClear}>Choose none</button>
      {act !== undefined && <BulkDialog act={act} ids={[...chosen]} onClose={() => setAct(undefined)} onDone={onDone} />}
    </div>
  );
}

interface DialogProps {
  act: Act;
  ids: string[];
  onClose(): void;
  onDone(): void;
}

function BulkDialog({ act, ids, onClose, onDone }: DialogProps) {
  const preview = useResource<BulkOutcome>(`${act} ${ids.join()}`, () => ({
    read: (signal) => ask<BulkOutcome>(`runs/${act}`, { method: "POST", body: { run_ids: ids, preview: true }, signal }),
  }));
  const command = useCommand();
  const [outcome, setOutcome] = useState<BulkOutcome>();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (outcome !== undefined) return onDone();
    const done = await command.send<BulkOutcome>(`runs/${act}`, { run_ids: ids });
    if (done === undefined) return;
    if (done.skipped.length === 0) onDone();
    else setOutcome(done);
  };
  const shown = outcome ?? preview.data.value;
  const problem = command.problem ?? preview.problem.value;
  const verb = act === "cancel" ? "cancelled" : "repeated as new runs";
  return (
    <Dialog title={act === "cancel" ? "Cancel runs" : "Rerun runs"} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        {shown === undefined && problem === undefined && <Loading />}
        {shown !== undefined && <p>{count(shown.done, "run")} {outcome === undefined ? "will be" : "were"} {verb}.</p>}
        {shown !== undefined && shown.skipped.length > 0 && (
          <>
            <p>{count(shown.skipped.length, "run")} will not:</p>
            <ul class="is-short scroll">{shown.skipped.map(({ run_id, reason }) => <li key={run_id}><span class="mono">{shortId(run_id)}</span> {reason}</li>)}</ul>
          </>
        )}
        {problem !== undefined && <ProblemBox problem={problem} />}
        <div class="row is-end">
          <button type="button" onClick={onClose}>Close</button>
          <button type="submit" class={act === "cancel" ? "is-danger" : "is-main"} disabled={command.isSending || shown === undefined || (outcome === undefined && shown.done === 0)}>
            {outcome !== undefined ? "Done" : act === "cancel" ? "Cancel them" : "Rerun them"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

// What the caller may do with a run now. Each shows its consequence before it is done.

import { useState } from "preact/hooks";
import { may } from "../../api/caller";
import type { RunDetail } from "../../api/model";
import { CancelDialog } from "./cancel";
import { RerunDialog } from "./rerun";
import { ResumeDialog } from "./resume";
import { isFinished, type Definition } from "./run";

type Open = "cancel" | "resume" | "rerun" | undefined;

interface Props {
  run: RunDetail;
  definition: Definition;
  onChange(): void;
}

export function Actions({ run, definition, onChange }: Props) {
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  const done = () => {
    close();
    onChange();
  };
  const finished = isFinished(run.status);
  return (
    <div class="actions">
      {run.status === "failed" && may("runs.resume") && (
        <button type="button" class="is-main" onClick={() => setOpen("resume")}>Resume…</button>
      )}
      {finished && may("pipelines.run") && <button type="button" onClick={() => setOpen("rerun")}>Rerun…</button>}
      {!finished && may("runs.cancel") && (
        <button type="button" class="is-danger" onClick={() => setOpen("cancel")}>{run.cancelling === true ? "Cancel by force…" : "Cancel…"}</button>
      )}
      {open === "cancel" && <CancelDialog run={run} onClose={close} onDone={done} />}
      {open === "resume" && <ResumeDialog run={run} onClose={close} />}
      {open === "rerun" && <RerunDialog run={run} definition={definition} onClose={close} />}
    </div>
  );
}

// Repeats the days of a finished backfill, after it has shown which.

import { useState } from "preact/hooks";
import { ask } from "../../api/client";
import type { Backfill, BackfillPreview } from "../../api/backfills";
import { useResource } from "../../live/resource";
import { useCommand } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { go, link } from "../../router/location";
import { pathOf } from "../../router/path";
import { PreviewList } from "./preview_list";

export function RerunBackfill({ backfill, onClose }: { backfill: Backfill; onClose(): void }) {
  const [only, setOnly] = useState<"failed" | "all">(backfill.status === "success" ? "all" : "failed");
  const command = useCommand();
  const path = pathOf("backfills", backfill.id, "rerun");
  const preview = useResource<BackfillPreview>(`rerun ${only}`, () => ({
    read: (signal) => ask<BackfillPreview>(path, { method: "POST", body: { only, preview: true }, signal }),
  }));
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const answer = await command.request("POST", path, { only });
    if (answer === undefined) return;
    if (answer.created === undefined) onClose();
    else go(link(["backfills", answer.created]));
  };
  const shown = preview.data.value;
  const problem = command.problem ?? preview.problem.value;
  return (
    <Dialog title="Run days again" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <label class="check">
          <input type="checkbox" checked={only === "all"} onChange={(event) => setOnly(event.currentTarget.checked ? "all" : "failed")} />
          Also what has succeeded
        </label>
        {problem !== undefined && <ProblemBox problem={problem} />}
        {problem === undefined && shown === undefined && <Loading />}
        {shown !== undefined && <PreviewList preview={shown} what="A new backfill on the newest definition has" />}
        <div class="row is-end">
          <button type="button" onClick={onClose}>Close</button>
          <button type="submit" class="is-main" disabled={command.isSending || problem !== undefined || (shown?.dates.length ?? 0) === 0}>Run them again</button>
        </div>
      </form>
    </Dialog>
  );
}

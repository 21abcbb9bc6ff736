// Resumes a failed run, after it has shown what that does with each node.

import { useState } from "preact/hooks";
import { ask } from "../../api/client";
import type { ResumePreview, Run, RunDetail } from "../../api/model";
import { useResource } from "../../live/resource";
import { useCommand } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { go, link } from "../../router/location";
import { pathOf } from "../../router/path";
import { count } from "../../text/words";
import { StartFields, type Start } from "./start_from";

const ACTIONS: Record<string, string> = {
  execute: "runs again",
  reuse: "is reused",
  skip: "is skipped",
  never: "is not repeated",
};

interface Props {
  run: RunDetail;
  onClose(): void;
}

export function ResumeDialog({ run, onClose }: Props) {
  const [body, setBody] = useState<Start>({});
  const command = useCommand();
  const path = pathOf("runs", run.id, "resume");
  const preview = useResource<ResumePreview>(JSON.stringify(body), () => ({
    read: (signal) => ask<ResumePreview>(path, { method: "POST", body: { ...body, preview: true }, signal }),
  }));
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const started = await command.send<Run>(path, body);
    if (started !== undefined) go(link(["runs", started.id]));
  };
  const problem = command.problem ?? preview.problem.value;
  return (
    <Dialog title="Resume the run" onClose={onClose} isWide>
      <form onSubmit={(event) => void submit(event)}>
        <div class="fields">
          <StartFields run={run} start={body} onChange={setBody} label="Run again from" otherwise="what has not succeeded" />
        </div>
        {problem !== undefined && <ProblemBox problem={problem} />}
        {problem === undefined && <Preview preview={preview.data.value} />}
        <div class="row is-end">
          <button type="button" onClick={onClose}>Close</button>
          <button type="submit" class="is-main" disabled={command.isSending || preview.data.value === undefined || problem !== undefined}>Resume</button>
        </div>
      </form>
    </Dialog>
  );
}

function Preview({ preview }: { preview: ResumePreview | undefined }) {
  if (preview === undefined) return <Loading />;
  const again = preview.nodes.filter((node) => node.action === "execute").length;
  return (
    <>
      <p>A new run executes {again} of {count(preview.nodes.length, "node")}.</p>
      <div class="scroll is-short" tabIndex={0} role="region" aria-label="What happens with each node">
        <table>
          <thead><tr><th>Node</th><th>What happens</th><th>Why</th></tr></thead>
          <tbody>
            {preview.nodes.map(({ node_id, action, reason }) => (
              <tr key={node_id}><td>{node_id}</td><td class={`action is-${action}`}>{ACTIONS[action] ?? action}</td><td class="faint">{reason}</td></tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

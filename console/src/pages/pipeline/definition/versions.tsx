// The versions of a pipeline: what each differs in from the newest one, and a way back to it.

import { useState } from "preact/hooks";
import { ask } from "../../../api/client";
import type { PageOf, Pipeline } from "../../../api/model";
import { useResource } from "../../../live/resource";
import { useCommand } from "../../../parts/command";
import { Dialog } from "../../../parts/dialog";
import { Loading } from "../../../parts/loading";
import { ProblemBox } from "../../../parts/problem";
import { Time } from "../../../parts/time";
import { here, setQuery } from "../../../router/location";
import { pathOf } from "../../../router/path";
import { DiffView } from "./diff_view";
import { textOf } from "./draft";

const PAGE = 50;

interface Version {
  version: number;
  created_at?: string;
}

interface Props {
  pipeline: Pipeline;
  canEdit: boolean;
  onDone(): void;
}

export function Versions({ pipeline, canEdit, onDone }: Props) {
  const [back, setBack] = useState<number>();
  const after = here.value.query.get("after") ?? undefined;
  const list = useResource<PageOf<Version>>(`versions ${pipeline.id} ${pipeline.version} ${after}`, () => ({
    read: (signal) => ask<PageOf<Version>>(pathOf("pipelines", pipeline.id, "versions"), { query: { limit: PAGE, after }, signal }),
  }));
  const chosen = Number(here.value.query.get("version") ?? Number.NaN);
  const page = list.data.value;
  if (page === undefined) return list.problem.value === undefined ? <Loading /> : <ProblemBox problem={list.problem.value} onRetry={() => list.refresh()} />;
  return (
    <>
      <table>
        <thead><tr><th>Version</th><th>Saved</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
        <tbody>
          {page.items.map(({ version, created_at }) => (
            <tr key={version} aria-selected={version === chosen}>
              <td class="main-cell"><button type="button" class="plain link" data-row onClick={() => setQuery({ version: String(version) }, "push")}>Version {version}</button>{version === pipeline.version && <span class="chip">newest</span>}</td>
              <td><Time at={created_at} /></td>
              <td>{canEdit && version !== pipeline.version && <button type="button" onClick={() => setBack(version)} aria-label={`Roll back to version ${version}`}>Roll back…</button>}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {page.has_next && page.cursor !== undefined && <p class="row"><button type="button" onClick={() => setQuery({ after: page.cursor }, "push")}>Older</button></p>}
      {!Number.isNaN(chosen) && <><h2>From version {chosen} to the newest</h2><Difference pipeline={pipeline} version={chosen} /></>}
      {back !== undefined && <RollBack pipeline={pipeline} version={back} onClose={() => setBack(undefined)} onDone={onDone} />}
    </>
  );
}

function Difference({ pipeline, version, isBack = false }: { pipeline: Pipeline; version: number; isBack?: boolean }) {
  const old = useResource<Pipeline>(`version ${pipeline.id} ${version}`, () => ({
    read: (signal) => ask<Pipeline>(pathOf("pipelines", pipeline.id, "versions", String(version)), { signal }),
  }));
  if (old.data.value === undefined) return old.problem.value === undefined ? <Loading /> : <ProblemBox problem={old.problem.value} />;
  const [one, other] = [textOf(old.data.value), textOf(pipeline)];
  return <DiffView before={isBack ? other : one} after={isBack ? one : other} label="Difference of the versions" />;
}

function RollBack({ pipeline, version, onClose, onDone }: { pipeline: Pipeline; version: number; onClose(): void; onDone(): void }) {
  const command = useCommand();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if ((await command.request("POST", pathOf("pipelines", pipeline.id, "rollback"), { version })) === undefined) return;
    onClose();
    onDone();
  };
  return (
    <Dialog title={`Roll back to version ${version}`} onClose={onClose} isWide>
      <form onSubmit={(event) => void submit(event)}>
        <p>Saves version {version} again as version {pipeline.version + 1}. New runs execute it; those that have begun keep theirs.</p>
        <Difference pipeline={pipeline} version={version} isBack />
        {command.problem !== undefined && <ProblemBox problem={command.problem} />}
        <div class="row is-end">
          <button type="button" onClick={onClose}>Close</button>
          <button type="submit" class="is-main" disabled={command.isSending}>Roll back</button>
        </div>
      </form>
    </Dialog>
  );
}

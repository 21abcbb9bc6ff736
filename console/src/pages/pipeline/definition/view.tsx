// The definition of a pipeline: a text to edit, its graph, what has changed, and its versions.

import { signal } from "@preact/signals";
import { useMemo, useState } from "preact/hooks";
import { may } from "../../../api/caller";
import { ask } from "../../../api/client";
import type { Pipeline } from "../../../api/model";
import { Drawing } from "../../../graph/drawing";
import { useResource } from "../../../live/resource";
import { useCommand } from "../../../parts/command";
import { CopyButton } from "../../../parts/copy";
import { Loading } from "../../../parts/loading";
import { ProblemBox } from "../../../parts/problem";
import { useSettled } from "../../../parts/settled";
import { Tabs, tabOf } from "../../../parts/tabs";
import { pathOf } from "../../../router/path";
import { DiffView } from "./diff_view";
import { readDraft, textOf, type Remark } from "./draft";
import { Editor } from "./editor";
import { lineOf } from "./pointers";
import { Versions } from "./versions";

const TABS = [
  { id: "edit", title: "Text" },
  { id: "changes", title: "Changes" },
  { id: "versions", title: "Versions" },
] as const;

interface Saved {
  pipeline: Pipeline;
  /** Changes with each save. */
  tag: string;
}

interface Warned {
  warnings?: { pointer?: string; detail: string }[];
}

/** Texts that are not saved yet, by pipeline: a look at another view does not lose them. */
const drafts = signal<ReadonlyMap<string, string>>(new Map());

function keep(id: string, text: string | undefined): void {
  const next = new Map(drafts.peek());
  if (text === undefined) next.delete(id);
  else next.set(id, text);
  drafts.value = next;
}

export function DefinitionView({ pipeline, onChange }: { pipeline: Pipeline; onChange(): void }) {
  const { id, tenant } = pipeline;
  const saved = useResource<Saved>(`definition ${tenant} ${id}`, () => ({
    read: async (own) => {
      const { data, seq, tag = "" } = await ask<Pipeline>(pathOf("pipelines", id), { query: { tenant }, signal: own });
      return { data: { pipeline: data, tag }, seq };
    },
  }));
  if (saved.data.value === undefined) {
    const problem = saved.problem.value;
    return problem === undefined ? <Loading /> : <ProblemBox problem={problem} onRetry={() => saved.refresh()} />;
  }
  const reload = () => {
    saved.refresh();
    onChange();
  };
  const take = (next: Saved) => {
    saved.data.value = next;
    onChange();
  };
  return <Definition saved={saved.data.value} onChange={reload} onSaved={take} />;
}

interface Props {
  saved: Saved;
  onChange(): void;
  onSaved(saved: Saved): void;
}

function Definition({ saved: { pipeline, tag }, onChange, onSaved }: Props) {
  const stored = useMemo(() => textOf(pipeline), [pipeline]);
  const text = drafts.value.get(pipeline.id) ?? stored;
  const isChanged = text !== stored;
  const canEdit = may("pipelines.edit") && pipeline.managed !== "code";
  const settled = useSettled(text);
  const draft = useMemo(() => readDraft(settled), [settled]);
  const [warnings, setWarnings] = useState<Warned["warnings"]>([]);
  const [selected, setSelected] = useState<string>();
  const command = useCommand();
  // Of a text that is discarded, nothing is wrong.
  const problem = isChanged ? command.problem : undefined;
  const said = [...(problem?.issues ?? []), ...(warnings ?? [])];
  const remarks: Remark[] = [...draft.remarks, ...said.map(({ pointer = "", detail }) => ({ pointer, detail, line: lineOf(draft.lines, pointer) }))];
  const change = (next: string) => {
    setWarnings([]);
    keep(pipeline.id, next === stored ? undefined : next);
  };
  const save = async () => {
    const query: Record<string, string> = pipeline.tenant === undefined ? {} : { tenant: pipeline.tenant };
    const more = { query, headers: { "if-match": tag }, text };
    const answer = await command.request<Pipeline & Warned>("PUT", pathOf("pipelines", pipeline.id), undefined, more);
    if (answer === undefined) return;
    keep(pipeline.id, undefined);
    setWarnings(answer.data.warnings ?? []);
    onSaved({ pipeline: answer.data, tag: answer.tag ?? "" });
  };
  const tab = tabOf("as", TABS);
  const isStale = problem?.status === 412;
  const canSave = isChanged && draft.remarks.length === 0 && settled === text && !command.isSending;
  return (
    <section aria-label="Definition of the pipeline">
      <div class="bar">
        <Tabs name="as" label="What is shown of the definition" tabs={TABS} />
        <span class="faint">{isChanged ? "changed, not saved" : `version ${pipeline.version}`}</span>
        <span class="grow" />
        <CopyButton text={text} />
        {isChanged && <button type="button" onClick={() => change(stored)}>Discard</button>}
        {canEdit && <button type="button" class="is-main" disabled={!canSave} onClick={() => void save()}>Save as version {pipeline.version + 1}</button>}
      </div>
      {pipeline.managed === "code" && <p class="notice">The host defines this pipeline in its code. It is changed there.</p>}
      {problem !== undefined && <ProblemBox problem={problem} />}
      {isStale && <p class="row"><button type="button" onClick={onChange}>Compare with the newest version, and keep my text</button></p>}
      {tab === "edit" && (
        <div class="editing">
          <Editor text={text} remarks={remarks} isReadOnly={!canEdit} onChange={change} />
          <div class="beside-text">{draft.nodes.length > 0 && <Drawing nodes={draft.nodes} edges={draft.edges} selected={selected} label="Graph of the text" onSelect={(node) => setSelected(node === selected ? undefined : node)} />}</div>
        </div>
      )}
      {tab === "changes" && <DiffView before={stored} after={text} label="Changes that are not saved" />}
      {tab === "versions" && <Versions pipeline={pipeline} canEdit={canEdit} onDone={onChange} />}
    </section>
  );
}

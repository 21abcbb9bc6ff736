// Starts a run: a form from the definitions of the parameters, with the body of the request beside
// it.

import { useState } from "preact/hooks";
import type { ParamDef, Pipeline, Run } from "../../api/model";
import { useResource } from "../../live/resource";
import { pipelineSource } from "../../live/sources";
import { useCommand } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { go, link } from "../../router/location";
import { pathOf } from "../../router/path";
import { tenantOf } from "../../router/tenant";
import { qualified, type Owned } from "../../tenants";
import { fromField, zoneName } from "../../text/time";
import { ParamField } from "./param_field";

type Params = Record<string, string>;

interface Props {
  id: string;
  own: Owned;
  onClose(): void;
}

export function TriggerDialog({ id, own, onClose }: Props) {
  const resource = useResource(`trigger ${qualified(id, own)}`, () => pipelineSource(id, own));
  const pipeline = resource.data.value;
  return (
    <Dialog title={`Run “${pipeline?.name ?? id}”`} onClose={onClose} isWide>
      {resource.problem.value !== undefined && <ProblemBox problem={resource.problem.value} />}
      {pipeline === undefined ? <Loading /> : <TriggerForm pipeline={pipeline} onClose={onClose} />}
    </Dialog>
  );
}

/** Without definitions, a run takes the parameters that its pipeline has, and every other one. */
export function definitionsOf(pipeline: Pipeline): ParamDef[] {
  const defined = pipeline.param_defs ?? [];
  const names = new Set(defined.map((own) => own.name));
  const others = Object.keys(pipeline.params).filter((name) => !names.has(name));
  return [...defined, ...others.map((name): ParamDef => ({ name, type: "string" }))];
}

function bodyOf(params: Params, after: string, note: string) {
  return {
    ...(Object.keys(params).length === 0 ? {} : { params }),
    ...(after === "" ? {} : { run_after: fromField(after) ?? after }),
    ...(note.trim() === "" ? {} : { note: note.trim() }),
  };
}

/** What the form shows beside itself: a mask stands for each secret. */
function shownOf(body: ReturnType<typeof bodyOf>, definitions: ParamDef[]) {
  if (body.params === undefined) return body;
  const secrets = new Set(definitions.filter((own) => own.secret).map((own) => own.name));
  const shown = Object.entries(body.params).map(([name, value]) => [name, secrets.has(name) ? "********" : value]);
  return { ...body, params: Object.fromEntries(shown) };
}

function TriggerForm({ pipeline, onClose }: { pipeline: Pipeline; onClose(): void }) {
  const [params, setParams] = useState<Params>({});
  const [after, setAfter] = useState("");
  const [note, setNote] = useState("");
  const command = useCommand();
  const body = bodyOf(params, after, note);
  const set = (name: string, value: string | undefined) => {
    const { [name]: _, ...others } = params;
    setParams(value === undefined ? others : { ...others, [name]: value });
  };
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const run = await command.send<Run>(pathOf("pipelines", pipeline.id, "run"), body, tenantOf(pipeline));
    if (run !== undefined) go(link(["runs", run.id]));
  };
  const definitions = definitionsOf(pipeline);
  const issues = new Map(command.problem?.issues.map((issue) => [issue.pointer ?? "", issue.detail]));
  return (
    <form onSubmit={(event) => void submit(event)}>
      {pipeline.paused !== undefined && <p class="notice">The pipeline is paused: the run waits until it is unpaused.</p>}
      <div class="sides">
        <div class="fields">
          {definitions.length === 0 && <p class="faint">The pipeline has no parameters.</p>}
          {definitions.map((definition) => (
            <ParamField
              key={definition.name}
              definition={definition}
              fallback={pipeline.params[definition.name] ?? (definition.default === undefined ? undefined : String(definition.default))}
              value={params[definition.name]}
              issue={issues.get(`/params/${definition.name}`)}
              onChange={(value) => set(definition.name, value)}
            />
          ))}
          <label>Not before, in {zoneName()}
            <input type="datetime-local" step="1" value={after} onInput={(event) => setAfter(event.currentTarget.value)} />
          </label>
          <label>Note
            <input maxLength={2000} value={note} onInput={(event) => setNote(event.currentTarget.value)} />
          </label>
        </div>
        <div class="code beside">
          <p class="faint">POST pipelines/{pipeline.id}/run</p>
          <pre tabIndex={0} aria-label="Body of the request">{JSON.stringify(shownOf(body, definitions), null, 2)}</pre>
        </div>
      </div>
      {command.problem !== undefined && <ProblemBox problem={command.problem} />}
      <div class="row is-end">
        <button type="button" onClick={onClose}>Close</button>
        <button type="submit" class="is-main" disabled={command.isSending}>Run</button>
      </div>
    </form>
  );
}

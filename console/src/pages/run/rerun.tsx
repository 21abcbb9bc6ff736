// Starts a run like a finished one, with other parameters if the caller wants.

import { useState } from "preact/hooks";
import type { Run, RunDetail } from "../../api/model";
import { MASK } from "../../api/settings";
import { useCommand } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { ProblemBox } from "../../parts/problem";
import { go, link } from "../../router/location";
import { pathOf } from "../../router/path";
import { someOf } from "../../text/words";
import type { Definition } from "./run";
import { StartFields, type Start } from "./start_from";

interface Props {
  run: RunDetail;
  definition: Definition;
  onClose(): void;
}

export function RerunDialog({ run, definition, onClose }: Props) {
  const [params, setParams] = useState(run.params);
  const [start, setStart] = useState<Start>({});
  const command = useCommand();
  const changed = Object.fromEntries(Object.entries(params).filter(([name, value]) => run.params[name] !== value));
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const body = Object.keys(changed).length === 0 ? start : { ...start, params: changed };
    const started = await command.send<Run>(pathOf("runs", run.id, "rerun"), body);
    if (started !== undefined) go(link(["runs", started.id]));
  };
  const sinks = [...definition.nodes.keys()].filter((id) => !definition.edges.some((edge) => edge.from === id));
  return (
    <Dialog title="Rerun" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <p>
          A new run executes {start.from_node === undefined ? "every node" : `“${start.from_node}” and all nodes below it`} again
          {sinks.length > 0 && `, also those that nothing follows: ${someOf(sinks, 4)}`}.
        </p>
        <StartFields run={run} start={start} onChange={setStart} label="From" otherwise="the beginning" />
        {Object.entries(params).map(([name, value]) => (
          <label key={name}>{name}
            <ParamInput isSecret={run.params[name] === MASK} value={value} onChange={(text) => setParams({ ...params, [name]: text })} />
          </label>
        ))}
        {command.problem !== undefined && <ProblemBox problem={command.problem} />}
        <div class="row is-end">
          <button type="button" onClick={onClose}>Close</button>
          <button type="submit" class="is-main" disabled={command.isSending}>Rerun</button>
        </div>
      </form>
    </Dialog>
  );
}

/** The mask of a secret stands for the one that the run has. */
function ParamInput({ isSecret, value, onChange }: { isSecret: boolean; value: string; onChange(text: string): void }) {
  const shared = { value, onInput: (event: InputEvent & { currentTarget: HTMLInputElement }) => onChange(event.currentTarget.value) };
  return isSecret ? <input {...shared} type="password" autoComplete="new-password" /> : <input {...shared} />;
}

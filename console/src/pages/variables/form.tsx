// Creates a variable, or changes one. The value of a secret is never shown.

import { useState } from "preact/hooks";
import type { Variable } from "../../api/settings";
import { useCommand } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Field, issuesOf } from "../../parts/field";
import { ProblemBox } from "../../parts/problem";
import { secretOf } from "../../parts/secret";
import { pathOf } from "../../router/path";

interface Props {
  variable: Variable | undefined;
  onClose(): void;
  onDone(): void;
}

export function VariableForm({ variable, onClose, onDone }: Props) {
  const wasSecret = variable?.type === "secret";
  const [key, setKey] = useState("");
  const [isSecret, setSecret] = useState(wasSecret);
  const [value, setValue] = useState(wasSecret ? "" : variable?.value ?? "");
  const [description, setDescription] = useState(variable?.description ?? "");
  const command = useCommand();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const sent = isSecret ? secretOf(value === "" ? { kind: "kept" } : { kind: "new", text: value }, wasSecret) : value;
    const body = { value: sent ?? "", type: isSecret ? "secret" : "string", description };
    const query: Record<string, string> = variable?.tenant === undefined ? {} : { tenant: variable.tenant };
    const done = variable === undefined
      ? await command.request("POST", "variables", { key: key.trim(), ...body })
      : await command.request("PUT", pathOf("variables", variable.key), body, { query });
    if (done !== undefined) onDone();
  };
  const issues = issuesOf(command.problem);
  return (
    <Dialog title={variable === undefined ? "New variable" : `Edit “${variable.key}”`} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        {variable === undefined && <Field label="Key" isRequired value={key} issue={issues.get("key")} onChange={setKey} />}
        <label class="check">
          <input type="checkbox" checked={isSecret} onChange={(event) => setSecret(event.currentTarget.checked)} />
          Secret: encrypted, and never shown again
        </label>
        {wasSecret && !isSecret && <p class="notice">The stored secret does not become visible. Type the value that the variable has from now on.</p>}
        <Field label="Value" value={value} isSecret={isSecret} issue={issues.get("value")} onChange={setValue}
          placeholder={wasSecret && isSecret ? "stored, and kept unless you type another" : undefined} isRequired={isSecret && !wasSecret} />
        <Field label="Description" value={description} issue={issues.get("description")} onChange={setDescription} />
        {command.problem !== undefined && <ProblemBox problem={command.problem} />}
        <div class="row is-end">
          <button type="button" onClick={onClose}>Close</button>
          <button type="submit" class="is-main" disabled={command.isSending}>Save</button>
        </div>
      </form>
    </Dialog>
  );
}

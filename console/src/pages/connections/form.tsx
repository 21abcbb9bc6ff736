// Creates a connection, or changes one. Its secrets are never shown.

import { useState } from "preact/hooks";
import type { Connection } from "../../api/settings";
import { useCommand } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Field, issuesOf } from "../../parts/field";
import { ProblemBox } from "../../parts/problem";
import { SecretField, secretOf, type SecretState } from "../../parts/secret";
import { pathOf } from "../../router/path";

interface Props {
  connection: Connection | undefined;
  onClose(): void;
  onDone(): void;
}

const TEXTS = ["type", "host", "port", "schema", "login", "description"] as const;
type Texts = Record<(typeof TEXTS)[number] | "conn_id", string>;

const LABELS: Record<(typeof TEXTS)[number], string> = {
  type: "Type", host: "Host", port: "Port", schema: "Schema", login: "Login", description: "Description",
};

function textsOf(own: Connection | undefined): Texts {
  const { conn_id = "", type = "", host = "", port, schema = "", login = "", description = "" } = own ?? {};
  return { conn_id, type, host, port: port === undefined ? "" : String(port), schema, login, description };
}

export function ConnectionForm({ connection, onClose, onDone }: Props) {
  const [texts, setTexts] = useState(() => textsOf(connection));
  const [password, setPassword] = useState<SecretState>({ kind: "kept" });
  const [extra, setExtra] = useState<SecretState>({ kind: "kept" });
  const command = useCommand();
  const [hasPassword, hasExtra] = [connection?.password !== undefined, connection?.extra !== undefined];
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const { conn_id, port, ...others } = texts;
    const number = /^\d+$/.test(port.trim()) ? Number(port.trim()) : port.trim();
    const body = { ...others, ...(port.trim() === "" ? {} : { port: number }), password: secretOf(password, hasPassword), extra: secretOf(extra, hasExtra) };
    const query: Record<string, string> = connection?.tenant === undefined ? {} : { tenant: connection.tenant };
    const done = connection === undefined
      ? await command.request("POST", "connections", { conn_id: conn_id.trim(), ...body })
      : await command.request("PUT", pathOf("connections", connection.conn_id), body, { query });
    if (done !== undefined) onDone();
  };
  const issues = issuesOf(command.problem);
  return (
    <Dialog title={connection === undefined ? "New connection" : `Edit “${connection.conn_id}”`} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        {connection === undefined && <Field label="Id" isRequired value={texts.conn_id} issue={issues.get("conn_id")} onChange={(conn_id) => setTexts({ ...texts, conn_id })} />}
        {TEXTS.map((name) => (
          <Field key={name} label={LABELS[name]} isRequired={name === "type"} value={texts[name]} issue={issues.get(name)} onChange={(value) => setTexts({ ...texts, [name]: value })} />
        ))}
        <SecretField label="Password" isStored={hasPassword} state={password} issue={issues.get("password")} onChange={setPassword} />
        <SecretField label="Extra" isLong isStored={hasExtra} state={extra} issue={issues.get("extra")} onChange={setExtra} />
        {command.problem !== undefined && <ProblemBox problem={command.problem} />}
        <div class="row is-end">
          <button type="button" onClick={onClose}>Close</button>
          <button type="submit" class="is-main" disabled={command.isSending}>Save</button>
        </div>
      </form>
    </Dialog>
  );
}

// Deletes a connection or a variable, after it has said which pipelines refer to it.

import { useCommand } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { ProblemBox } from "../../parts/problem";
import { count, someOf } from "../../text/words";
import type { User } from "./users";

interface Props {
  /** What it is, such as `connection`. */
  what: string;
  name: string;
  path: string;
  tenant: string | undefined;
  users: readonly User[] | undefined;
  onClose(): void;
  onDone(): void;
}

export function DeleteDialog({ what, name, path, tenant, users, onClose, onDone }: Props) {
  const command = useCommand();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const query: Record<string, string> = tenant === undefined ? {} : { tenant };
    if ((await command.request("DELETE", path, undefined, { query })) !== undefined) onDone();
  };
  const names = someOf((users ?? []).map((user) => user.name), 5);
  return (
    <Dialog title={`Delete “${name}”`} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <p>
          {users === undefined && `Whether a pipeline refers to this ${what} is not known. One that does fails in its next run.`}
          {users?.length === 0 && `No pipeline refers to this ${what} in its config.`}
          {users !== undefined && users.length > 0 && <>{count(users.length, "pipeline")} {users.length === 1 ? "refers" : "refer"} to this {what}: {names}. The nodes that do fail in their next run.</>}
          {" "}It cannot be brought back.
        </p>
        {command.problem !== undefined && <ProblemBox problem={command.problem} />}
        <div class="row is-end">
          <button type="button" onClick={onClose}>Keep it</button>
          <button type="submit" class="is-danger" disabled={command.isSending}>Delete</button>
        </div>
      </form>
    </Dialog>
  );
}

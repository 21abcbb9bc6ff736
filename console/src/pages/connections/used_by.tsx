// The pipelines that refer to something, as links.

import { pipelineLink } from "../../router/tenant";
import type { Owned } from "../../tenants";
import type { User } from "./users";

const SHOWN_MAX = 5;

/** A pipeline uses what has its tenant. */
export function UsedBy({ users, own }: { users: readonly User[] | undefined; own: Owned }) {
  if (users === undefined) return <span class="faint">–</span>;
  if (users.length === 0) return <span class="faint">no pipeline</span>;
  return (
    <>
      {users.slice(0, SHOWN_MAX).map(({ id, name }, at) => <span key={id}>{at > 0 && ", "}<a href={pipelineLink(id, own, { view: "lineage", nodes: "1" })}>{name}</a></span>)}
      {users.length > SHOWN_MAX && <span class="faint">, and {users.length - SHOWN_MAX} more</span>}
    </>
  );
}

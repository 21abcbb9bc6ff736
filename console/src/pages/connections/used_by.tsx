// The pipelines that refer to something, as links.

import { link } from "../../router/location";
import type { User } from "./users";

const SHOWN_MAX = 5;

export function UsedBy({ users }: { users: readonly User[] | undefined }) {
  if (users === undefined) return <span class="faint">–</span>;
  if (users.length === 0) return <span class="faint">no pipeline</span>;
  return (
    <>
      {users.slice(0, SHOWN_MAX).map(({ id, name }, at) => <span key={id}>{at > 0 && ", "}<a href={link(["pipelines", id], { view: "lineage", nodes: "1" })}>{name}</a></span>)}
      {users.length > SHOWN_MAX && <span class="faint">, and {users.length - SHOWN_MAX} more</span>}
    </>
  );
}

// Which pipelines refer to a connection or a variable, as the lineage knows.

import { may } from "../../api/caller";
import { ask } from "../../api/client";
import type { Lineage, LineageKind } from "../../api/lineage";
import { groups } from "../../groups";
import { useResource } from "../../live/resource";

export interface User {
  id: string;
  name: string;
}

export type Users = (id: string, tenant: string | undefined) => readonly User[] | undefined;

/** Returns the pipelines of each, or nothing while they are not known. */
export function usersOf({ nodes, edges }: Lineage, kind: LineageKind): Map<string, User[]> {
  const own = new Set(nodes.filter((node) => node.type === kind).map((node) => node.id));
  const uses = edges.flatMap(({ from, to, pipeline_id, pipeline }) => {
    const id = own.has(from) ? from : own.has(to) ? to : undefined;
    return id === undefined ? [] : [{ id, user: { id: pipeline_id, name: pipeline } }];
  });
  const made = groups(uses, (use) => use.id);
  return new Map([...made].map(([id, all]) => [id, [...new Map(all.map(({ user }) => [user.id, user])).values()]]));
}

export function useUsers(kind: "connection" | "variable"): Users {
  const lineage = useResource<Lineage | undefined>("lineage", () => ({
    read: async (signal) => (may("pipelines.view") ? ask<Lineage>("lineage", { signal }) : { data: undefined, seq: Number.NaN }),
  }));
  const found = lineage.data.value;
  const users = found && usersOf(found, kind);
  return (id, tenant) => {
    if (users === undefined) return undefined;
    return users.get(`${kind}:${id}`) ?? (tenant === undefined ? undefined : users.get(`${kind}:${tenant}/${id}`)) ?? [];
  };
}

// The tenant in addresses. A caller of one tenant sees no other; a caller of all names the tenant
// of an object, since another one may have an object of this name.

import { capabilities } from "../api/caller";
import type { Owned } from "../tenants";
import { here, link } from "./location";

/** Returns the parameter for an object whose name another tenant may use, too. */
export function tenantOf(own: Owned): { tenant?: string } {
  const isOnly = capabilities.value?.caller.tenant !== undefined;
  return own.tenant === undefined || isOnly ? {} : { tenant: own.tenant };
}

/** Returns the address of a pipeline. */
export function pipelineLink(id: string, own: Owned, query: Record<string, string> = {}): string {
  return link(["pipelines", id], { ...tenantOf(own), ...query });
}

/** Returns the tenant to which the address narrows the page, if the caller sees several. */
export function narrowedTo(): string | undefined {
  const isOnly = capabilities.value?.caller.tenant !== undefined;
  return isOnly ? undefined : (here.value.query.get("tenant") ?? undefined);
}

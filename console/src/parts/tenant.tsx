// The tenant of an object, for a caller that sees several.

import { tenantOf } from "../router/tenant";
import type { Owned } from "../tenants";

export function Tenant({ own }: { own: Owned }) {
  const { tenant } = tenantOf(own);
  return tenant === undefined ? null : <span class="chip" title="The tenant of this object">{tenant}</span>;
}

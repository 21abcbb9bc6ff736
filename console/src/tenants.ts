// Objects of several tenants: a name is unique within its tenant alone. Pure.

/** An object that may belong to a tenant. */
export interface Owned {
  tenant?: string;
}

/** Returns a name that no object of another tenant has. */
export function qualified(id: string, own: Owned): string {
  return `${own.tenant ?? ""} ${id}`;
}

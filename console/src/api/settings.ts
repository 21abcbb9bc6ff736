// Connections and variables, as the API shows them: their secrets are masked.

/** What stands for a secret. A save with it leaves the secret as it is. */
export const MASK = "********";

export interface Connection {
  conn_id: string;
  type: string;
  description: string;
  host: string;
  port?: number;
  schema: string;
  login: string;
  password?: string;
  extra?: string;
  updated_at: string;
  tenant?: string;
}

export interface Variable {
  key: string;
  value: string;
  type: string;
  description: string;
  updated_at: string;
  tenant?: string;
}

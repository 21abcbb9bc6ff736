// What a dry run has done with a node.

import type { Cell, NodeStatus } from "./model";

export interface DryRunNode {
  node_id: string;
  name: string;
  status: NodeStatus;
  columns: string[];
  rows: Record<string, Cell>[];
  branch?: boolean;
  truncated?: boolean;
  error?: string;
  warnings?: string[];
}

export type DryRun = Record<string, DryRunNode>;

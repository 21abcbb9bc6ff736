// What pipelines read and write, as one graph.

export type LineageKind = "pipeline" | "processing" | "connection" | "table" | "file" | "api" | "variable";

export interface LineageNode {
  id: string;
  type: LineageKind;
  name: string;
  pipeline_id?: string;
  tenant?: string;
}

export interface LineageEdge {
  from: string;
  to: string;
  pipeline_id: string;
  pipeline: string;
  tenant?: string;
}

export interface Lineage {
  nodes: LineageNode[];
  edges: LineageEdge[];
  /** Whether the answer has fewer items than there are. */
  isCut?: boolean;
}

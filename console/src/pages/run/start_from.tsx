// Where a run that goes on from another one begins, and on which definition.

import type { RunDetail } from "../../api/model";

/** As the API takes it. */
export interface Start {
  from_node?: string;
  definition?: "current";
}

interface Props {
  run: RunDetail;
  start: Start;
  onChange(start: Start): void;
  label: string;
  /** What is said where no node is chosen. */
  otherwise: string;
}

export function StartFields({ run, start, onChange, label, otherwise }: Props) {
  const set = (change: Start) => onChange({ ...start, ...change });
  return (
    <>
      <label>{label}
        <select value={start.from_node ?? ""} onChange={({ currentTarget: { value } }) => set({ from_node: value === "" ? undefined : value })}>
          <option value="">{otherwise}</option>
          {run.node_runs.map(({ node_id }) => <option key={node_id} value={node_id}>{node_id}</option>)}
        </select>
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={start.definition === "current"}
          onChange={({ currentTarget: { checked } }) => set({ definition: checked ? "current" : undefined })}
        />
        On the newest definition, not on version {run.pipeline_version}
      </label>
    </>
  );
}

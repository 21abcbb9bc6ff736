// The runs that are not finished.

import type { Run } from "../../api/model";
import { RunsTable } from "../runs/table";

export function Running({ runs }: { runs: readonly Run[] }) {
  if (runs.length === 0) return null;
  return (
    <section aria-labelledby="running">
      <h2 id="running">Running and waiting</h2>
      <RunsTable runs={runs} />
    </section>
  );
}

// Runs as small marks, the newest at the right. Each leads to its run.

import type { GridRun } from "../api/model";
import { link } from "../router/location";
import { duration } from "../text/duration";
import { short } from "../text/time";
import { Mark } from "./mark";

export function Marks({ runs }: { runs: readonly GridRun[] }) {
  return (
    <span class="marks">
      {runs.map((run) => {
        const took = run.duration_ms === undefined ? "" : `, ${duration(run.duration_ms)}`;
        const words = `${run.status}, ${short(run.created_at, Date.now())}${took}`;
        return (
          <a key={run.id} href={link(["runs", run.id])} title={words} aria-label={words}>
            <Mark status={run.status} />
          </a>
        );
      })}
    </span>
  );
}

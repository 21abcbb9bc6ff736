// The runs of a backfill as a strip of cells: each leads to its run.

import type { BackfillUnit } from "../../api/backfills";
import type { Run, RunStatus } from "../../api/model";
import { Mark } from "../../parts/mark";
import { link } from "../../router/location";
import { cellsOf } from "./cells";

interface Props {
  runs: readonly Run[];
  statusOf(run: Run): RunStatus;
  unit: BackfillUnit;
  zone: string;
}

export function Strip({ runs, statusOf, unit, zone }: Props) {
  return (
    <div class="strip">
      {cellsOf(runs, unit, zone).map(([group, cells]) => (
        <section key={group} aria-label={group}>
          <h3>{group}</h3>
          <div class="strip-cells">
            {cells.map(({ run, short, name }) => {
              const words = `${name}: ${statusOf(run)}`;
              return (
                <a key={run.id} href={link(["runs", run.id])} class={`strip-cell is-${statusOf(run)}`} data-row title={words} aria-label={words}>
                  <Mark status={statusOf(run)} />
                  <span>{short}</span>
                </a>
              );
            })}
          </div>
        </section>
      ))}
    </div>
  );
}

// What belongs to the whole run: its parameters, labels, note and log.

import type { RunDetail } from "../../api/model";
import { LogView } from "./log";

function Pairs({ title, pairs }: { title: string; pairs: Record<string, string> | undefined }) {
  const entries = Object.entries(pairs ?? {});
  if (entries.length === 0) return null;
  return (
    <div class="pairs">
      <h2>{title}</h2>
      <dl>{entries.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value === "" ? <span class="faint">empty</span> : value}</dd></div>)}</dl>
    </div>
  );
}

export function RunPanel({ run }: { run: RunDetail }) {
  return (
    <section class="run-panel" aria-label="Parameters and log">
      <div class="sides">
        <Pairs title="Parameters" pairs={run.params} />
        <Pairs title="Labels" pairs={run.labels} />
        {run.note !== undefined && <div class="pairs"><h2>Note</h2><p>{run.note}</p></div>}
      </div>
      <h2>Log</h2>
      <LogView run={run} />
    </section>
  );
}

// The system: its figures, its queue, what notifiers have not received, and who did what.

import { useState } from "preact/hooks";
import { may } from "../../api/caller";
import { ask } from "../../api/client";
import type { SystemInfo } from "../../api/system";
import { useFollowed } from "../../live/follow";
import { useResource } from "../../live/resource";
import { Loading } from "../../parts/loading";
import { ProblemBox } from "../../parts/problem";
import { Tabs, tabOf } from "../../parts/tabs";
import { duration } from "../../text/duration";
import { Audit } from "./audit";
import { Deliveries } from "./deliveries";
import { PurgeDialog } from "./purge";
import { Queue } from "./queue";

const TABS = [
  { id: "queue", title: "Queue" },
  { id: "deliveries", title: "Deliveries" },
  { id: "audit", title: "Audit" },
] as const;

export function SystemPage() {
  useFollowed();
  const [isPurging, setPurging] = useState(false);
  const info = useResource<SystemInfo>("system", () => ({
    read: (signal) => ask<SystemInfo>("system/info", { signal }),
    concerns: (event) => event.type.startsWith("run."),
  }));
  const found = info.data.value;
  const problem = info.problem.value;
  const tab = tabOf("view", TABS);
  if (found === undefined) return problem === undefined ? <Loading /> : <ProblemBox problem={problem} onRetry={() => info.refresh()} />;
  return (
    <section aria-labelledby="system-title">
      <header class="object">
        <div class="object-title"><h1 id="system-title">System</h1></div>
        <div class="actions">{may("settings.edit") && <button type="button" onClick={() => setPurging(true)}>Delete old runs…</button>}</div>
        {problem !== undefined && <ProblemBox problem={problem} onRetry={() => info.refresh()} />}
        <Figures info={found} />
      </header>
      <div class="bar"><Tabs name="view" label="What is shown of the system" tabs={TABS} /></div>
      {tab === "queue" && <Queue />}
      {tab === "deliveries" && <Deliveries />}
      {tab === "audit" && <Audit />}
      {isPurging && <PurgeDialog onClose={() => setPurging(false)} onDone={() => { setPurging(false); info.refresh(); }} />}
    </section>
  );
}

function Figures({ info }: { info: SystemInfo }) {
  const { active_runs, max_concurrent_runs, queued_runs, dead_letters, unreadable_rows } = info;
  return (
    <dl class="facts">
      <div><dt>Slots</dt><dd><meter min={0} max={Math.max(1, max_concurrent_runs)} value={active_runs} aria-label="Slots in use" /> <span class="number">{active_runs} of {max_concurrent_runs}</span></dd></div>
      <div><dt>Waiting</dt><dd class="number">{queued_runs}</dd></div>
      <div><dt>Dead letters</dt><dd class={dead_letters > 0 ? "number error-text" : "number"}>{dead_letters}</dd></div>
      <div><dt>Storage</dt><dd>{info.storage}, {info.db_size_mb}</dd></div>
      {unreadable_rows !== undefined && <div><dt>Unreadable rows</dt><dd class="number error-text">{unreadable_rows}</dd></div>}
      <div><dt>Pipelines</dt><dd class="number">{info.pipelines}</dd></div>
      <div><dt>Started</dt><dd>{duration(info.uptime_seconds * 1000)} ago</dd></div>
      <div><dt>Version</dt><dd>{info.version}</dd></div>
    </dl>
  );
}

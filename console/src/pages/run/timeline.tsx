// The nodes of a run on a line of time: waiting, running and failed attempts differ.

import type { NodeRun, RunDetail } from "../../api/model";
import { now } from "../../live/clock";
import { Mark } from "../../parts/mark";
import { duration } from "../../text/duration";
import { clockOf } from "../../text/time";
import { waitingSentence } from "../../text/words";
import { isFinished } from "./run";
import { ticks } from "./ticks";
import { spanOf, type Span } from "./timing";

interface Props {
  run: RunDetail;
  path: readonly string[];
  selected: string | undefined;
  onSelect(node: string): void;
}

export function Timeline({ run, path, selected, onSelect }: Props) {
  const at = isFinished(run.status) ? 0 : now.value;
  const from = Date.parse(run.created_at);
  const to = Math.max(from + 1, run.finished_at === undefined ? at : Date.parse(run.finished_at));
  const x = (time: number) => `${(100 * Math.min(1, Math.max(0, (time - from) / (to - from)))).toFixed(3)}%`;
  const started = run.started_at === undefined ? to : Date.parse(run.started_at);
  return (
    <div class="timeline">
      <Axis from={from} to={to} x={x} />
      <ol>
        <li class="lane">
          <span class="lane-name faint">in the queue</span>
          <span class="track">
            <Bar kind="waiting" left={x(from)} right={x(started)} title={`Waited ${duration(started - from)} to start`} />
          </span>
        </li>
        {run.node_runs.map((node) => {
          const span = spanOf(node, at);
          return (
            <li key={node.node_id} class={`lane${node.node_id === selected ? " is-selected" : ""}`}>
              <button type="button" class="plain lane-name" data-row onClick={() => onSelect(node.node_id)} aria-label={sentenceOf(node, span)}>
                <Mark status={node.status} /> <span>{node.node_id}</span>
              </button>
              <span class="track">{span !== undefined && <Bars span={span} x={x} isCritical={path.includes(node.node_id)} />}</span>
            </li>
          );
        })}
      </ol>
      <p class="legend">
        <span class="swatch is-waiting" /> waits <span class="swatch is-retry" /> failed attempts and the pauses after them{" "}
        <span class="swatch is-success" /> runs <span class="swatch is-critical" /> decides the end of the run
      </p>
      {run.waiting !== undefined && <p>{waitingSentence(run.waiting)}.</p>}
    </div>
  );
}

function sentenceOf(node: NodeRun, span: Span | undefined): string {
  if (span === undefined) return `${node.node_id}, ${node.status}`;
  const waited = span.startedAt > span.readyAt ? `, waited ${duration(span.startedAt - span.readyAt)}` : "";
  return `${node.node_id}, ${node.status}${waited}, took ${duration(span.endedAt - span.startedAt)}`;
}

interface BarsProps {
  span: Span;
  isCritical: boolean;
  x(time: number): string;
}

function Bars({ span, isCritical, x }: BarsProps) {
  const { node, readyAt, startedAt, endedAt } = span;
  // The duration of a node is that of its last attempt.
  const last = node.attempt > 1 && node.duration_ms !== undefined ? Math.max(startedAt, endedAt - node.duration_ms) : startedAt;
  const kind = `${node.status}${isCritical ? " is-critical" : ""}`;
  return (
    <>
      {readyAt < startedAt && <Bar kind="waiting" left={x(readyAt)} right={x(startedAt)} title={`Waited ${duration(startedAt - readyAt)} for a slot`} />}
      {last > startedAt && <Bar kind="retry" left={x(startedAt)} right={x(last)} title={`${duration(last - startedAt)} in ${node.attempt - 1} failed attempts`} />}
      <Bar kind={kind} left={x(last)} right={x(endedAt)} title={`${duration(endedAt - last)}, from ${clockOf(new Date(last).toISOString())}`} />
    </>
  );
}

function Bar({ kind, left, right, title }: { kind: string; left: string; right: string; title: string }) {
  return <span class={`time-bar is-${kind}`} style={{ left, right: `calc(100% - ${right})` }} title={title} />;
}

function Axis({ from, to, x }: { from: number; to: number; x(time: number): string }) {
  return (
    <div class="axis" aria-hidden="true">
      {ticks(to - from).map((offset) => (
        <span key={offset} style={{ left: x(from + offset) }}>{offset === 0 ? "0" : duration(offset)}</span>
      ))}
    </div>
  );
}

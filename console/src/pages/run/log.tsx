// A log: follows its end, searches it, and draws only the lines that are seen.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { LogLine, RunDetail } from "../../api/model";
import { listen } from "../../live/doorbell";
import { Download } from "../../parts/download";
import { ProblemBox } from "../../parts/problem";
import { here, setQuery } from "../../router/location";
import { pathOf } from "../../router/path";
import { clockOf, exact } from "../../text/time";
import { count } from "../../text/words";
import { HELD_MAX, LogLines } from "./log_lines";
import { useWindow } from "./window";

const LEVELS = ["debug", "info", "warning", "error"] as const;
const ROW = 20;
const TYPED_MS = 300;

function useLog(run: string, node: string | undefined): LogLines {
  const query = here.value.query;
  const [level, text] = [query.get("level") ?? undefined, query.get("q") ?? undefined];
  const log = useMemo(() => new LogLines(run, { node, level, text }), [run, node, level, text]);
  useEffect(() => {
    void log.start();
    const unlisten = listen(log);
    return () => {
      unlisten();
      log.stop();
    };
  }, [log]);
  return log;
}

export function LogView({ run, node }: { run: RunDetail; node?: string }) {
  const log = useLog(run.id, node);
  const lines = log.lines.value;
  const seen = useWindow(lines.length, ROW);
  const isAtTop = seen.first === 0;
  useEffect(() => {
    if (isAtTop && !log.isLoading.value && log.hasOlder.value) {
      const before = log.lines.value.length;
      void log.older().then(() => seen.shift((log.lines.value.length - before) * ROW));
    }
  }, [isAtTop, lines.length > 0]);
  const firstError = lines.findIndex((line) => line.level === "error");
  return (
    <div class="log">
      <div class="bar">
        <LogFilters />
        {firstError !== -1 && <button type="button" onClick={() => seen.show(firstError)}>First error</button>}
        <button type="button" aria-pressed={seen.isFollowing} onClick={() => seen.follow(!seen.isFollowing)}>Follow</button>
        <Download path={pathOf("runs", run.id, "logs", "export")} query={log.query()} name={`run-${run.id}-logs.txt`} />
      </div>
      {log.problem.value !== undefined && <ProblemBox problem={log.problem.value} onRetry={() => log.follow()} />}
      {log.isFull && log.hasOlder.value && (
        <p class="faint">These are the newest {count(HELD_MAX, "line")}. The download has all of them.</p>
      )}
      <div class="log-lines" ref={seen.frame} onScroll={seen.onScroll} tabIndex={0} role="log" aria-label="Log" aria-live="off">
        <div style={{ height: `${lines.length * ROW}px` }}>
          <div style={{ transform: `translateY(${seen.first * ROW}px)` }}>
            {lines.slice(seen.first, seen.last).map((line) => <Line key={line.seq} line={line} hasNode={node === undefined} />)}
          </div>
        </div>
      </div>
      {lines.length === 0 && <p class="faint">{log.isLoading.value ? "Loading…" : "No line matches."}</p>}
    </div>
  );
}

function LogFilters() {
  const query = here.value.query;
  const [text, setText] = useState(query.get("q") ?? "");
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (next: string) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setQuery({ q: next }), TYPED_MS);
  };
  return (
    <>
      <input type="search" data-filter aria-label="Search the log" placeholder="Search the log" maxLength={200} value={text} onInput={(event) => type(event.currentTarget.value)} />
      <select aria-label="Level" value={query.get("level") ?? "debug"} onChange={(event) => setQuery({ level: event.currentTarget.value === "debug" ? undefined : event.currentTarget.value })}>
        {LEVELS.map((level) => <option key={level} value={level}>{level === "error" ? "errors" : `${level} and above`}</option>)}
      </select>
    </>
  );
}

function Line({ line, hasNode }: { line: LogLine; hasNode: boolean }) {
  const message = plain(line.message);
  return (
    <p class={`line is-${line.level}`} title={`${exact(line.timestamp)}\n${message}`}>
      <time dateTime={line.timestamp}>{clockOf(line.timestamp)}</time>
      <span class="level">{line.level}</span>
      {hasNode && <span class="line-node">{line.node_id ?? ""}</span>}
      <span class="message">{message}</span>
    </p>
  );
}

/** Leaves out the colors of a terminal, and shows other control characters. */
function plain(message: string): string {
  return message
    .replace(/\u001b\[[0-9;]*[A-Za-z]/g, "")
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g, "�");
}

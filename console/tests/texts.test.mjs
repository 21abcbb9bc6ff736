// What the page says and computes, without a browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./modules.mjs";

test("a duration is said in its two largest units", async () => {
  const { duration } = await load("text/duration.ts");
  for (const [ms, expected] of [
    [0, "0 ms"], [12.4, "12 ms"], [999, "999 ms"], [999.6, "999 ms"], [1500, "1.5 s"],
    [4100, "4.1 s"], [9960, "9.9 s"], [59_000, "59 s"], [59_900, "59 s"], [60_000, "1 min"],
    [61_000, "1 min 1 s"], [3_600_000, "1 h"], [47 * 3_600_000, "47 h"], [49 * 3_600_000, "2 d 1 h"], [-5, "0 ms"],
  ]) {
    assert.equal(duration(ms), expected);
  }
});

test("a schedule is said in words", async () => {
  const { cronWords } = await load("pages/pipeline/cron_words.ts");
  for (const [cron, expected] of [
    ["@daily", "every day at 00:00"],
    ["0 6 * * mon-fri", "at 06:00 on Monday to Friday"],
    ["*/15 * * * *", "every 15 minutes every day"],
    ["30 2 1 * *", "at 02:30 on day 1 of the month"],
    ["0 0 1 * 1", "at 00:00 on day 1 of the month or on Monday"],
    ["5 */2 * * 0,7", "at minute 5, every 2 hours on Sunday, Sunday"],
  ]) {
    assert.equal(cronWords(cron), expected);
  }
});

test("a pause grows to 30 s and differs between tabs", async () => {
  const { pause } = await load("live/backoff.ts");
  assert.deepEqual([0, 1, 3, 9, 60].map((tries) => pause(tries, () => 1)), [1000, 2000, 8000, 30_000, 30_000]);
  assert.deepEqual([0, 9].map((tries) => pause(tries, () => 0)), [1000, 1000]);
});

const run = (status, nodes = []) => ({
  id: "r", pipeline_id: "p", status, created_at: "2026-01-01T00:00:00Z", started_at: "2026-01-01T00:00:03Z",
  finished_at: "2026-01-01T00:14:00Z", node_runs: nodes,
});
const node = (id, from, to, more = {}) => ({
  node_id: id, status: "success", attempt: 1, queue_ms: 0, started_at: from, finished_at: to,
  duration_ms: Date.parse(to) - Date.parse(from), ...more,
});

test("an event changes a run, and none undoes its end", async () => {
  const { applyEvent } = await load("pages/run/run.ts");
  const event = (type, more = {}) => ({ type, seq: 1, run_id: "r", timestamp: "2026-01-01T00:00:05Z", ...more });
  const pending = { ...run("pending"), node_runs: [{ node_id: "a", status: "pending", attempt: 0 }] };
  const running = applyEvent(pending, event("run.started"));
  assert.equal(running.status, "running");
  const started = applyEvent(running, event("node.started", { node_id: "a", attempt: 1 }));
  assert.equal(started.node_runs[0].status, "running");
  const done = applyEvent(started, event("node.completed", { node_id: "a", row_count: 7, duration_ms: 5 }));
  assert.deepEqual([done.node_runs[0].status, done.node_runs[0].row_count], ["success", 7]);
  assert.equal(applyEvent(done, event("node.started", { node_id: "a" })).node_runs[0].status, "success");
  const failed = applyEvent(done, event("run.failed", { error: "no" }));
  assert.equal(applyEvent(failed, event("run.started")).status, "failed");
});

test("the time of a run is explained by the nodes that decided its end", async () => {
  const { criticalPath, timeSentence } = await load("pages/run/timing.ts");
  const own = run("success", [
    node("a", "2026-01-01T00:00:03Z", "2026-01-01T00:01:00Z"),
    node("b", "2026-01-01T00:00:03Z", "2026-01-01T00:02:00Z"),
    node("join", "2026-01-01T00:05:00Z", "2026-01-01T00:14:00Z", { queue_ms: 180_000, attempt: 2, duration_ms: 420_000 }),
  ]);
  const edges = [{ from: "a", to: "join" }, { from: "b", to: "join" }];
  const path = criticalPath(own, edges, 0);
  assert.deepEqual(path, ["b", "join"]);
  const sentence = timeSentence(own, path, 0);
  assert.equal(sentence, "14 min: 7 min in “join”, 3 min waiting for a slot, 2 min in failed attempts, and 1 shorter part");
});

test("a run that nothing has succeeded after needs attention", async () => {
  const { unresolved } = await load("pages/overview/unresolved.ts");
  const one = (id, pipeline_id, status) => ({ id, pipeline_id, status });
  const runs = [one("1", "a", "success"), one("2", "b", "cancelled"), one("3", "b", "failed"), one("4", "a", "failed"), one("5", "b", "failed")];
  assert.deepEqual(unresolved(runs).map((own) => own.id), ["3"]);
});

test("runs that wait for long are found in what is known and what is older", async () => {
  const { longWaiting, LONG_MS } = await load("pages/overview/long_waiting.ts");
  const now = Date.parse("2026-01-01T12:00:00Z");
  const one = (id, age, more = {}) => ({ id, status: "pending", created_at: new Date(now - age).toISOString(), ...more });
  const known = [one("1", LONG_MS + 1), one("2", LONG_MS), one("3", LONG_MS * 9, { run_after: "2026-01-01T13:00:00Z" })];
  const older = [one("1", LONG_MS + 1), one("4", LONG_MS * 3), one("5", LONG_MS * 2), one("6", LONG_MS * 2, { status: "running" })];
  assert.deepEqual(longWaiting(known, older, now).map((own) => own.id), ["4", "5", "1"]);
});

test("events change the runs of a day", async () => {
  const { applyToDay, HELD_MAX } = await load("pages/overview/day_events.ts");
  const event = (type, more = {}) => ({ type, seq: 1, run_id: "2", pipeline_id: "p", tenant: "acme", timestamp: "2026-01-01T00:00:05Z", ...more });
  const old = [{ id: "1", pipeline_id: "p", status: "success" }];
  const created = applyToDay(old, event("run.created"));
  assert.deepEqual(created.map((own) => [own.id, own.status, own.tenant]), [["2", "pending", "acme"], ["1", "success", undefined]]);
  const ended = applyToDay(applyToDay(created, event("run.started")), event("run.failed", { error: "no", timestamp: "2026-01-01T00:00:09Z" }));
  assert.deepEqual([ended[0].status, ended[0].error, ended[0].started_at, ended[0].finished_at], ["failed", "no", "2026-01-01T00:00:05Z", "2026-01-01T00:00:09Z"]);
  assert.equal(ended[1], old[0]);
  const full = Array.from({ length: HELD_MAX }, (_, id) => ({ id, status: "success" }));
  assert.equal(applyToDay(full, event("run.created")).length, HELD_MAX);
});

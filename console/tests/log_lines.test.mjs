// The lines of a log that the page holds, against a log that grows, fails and is long.
import assert from "node:assert/strict";
import { before, beforeEach, test } from "node:test";
import { load } from "./modules.mjs";

const own = { answer: undefined, asked: [] };
let page;

before(async () => {
  Object.assign(globalThis, {
    document: { baseURI: "http://127.0.0.1/" },
    location: new URL("http://127.0.0.1/runs/r"),
    sessionStorage: { getItem: () => null },
    fetch: async (url) => {
      own.asked.push([...url.searchParams].find(([name]) => name === "after" || name === "before"));
      return own.answer(url.searchParams);
    },
  });
});

beforeEach(async () => {
  own.asked = [];
  // A tab of its own: what one test has read does not count for the next.
  page = await load("pages/run/log_lines.ts");
});

const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, at) => ({ seq: from + at, level: "info", message: "m" }));
const answer = (body, seq) => new Response(JSON.stringify(body), { headers: { "floret-seq": String(seq) } });
const settled = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
};

test("a log whose first read fails is read again, from its end", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  own.answer = () => new Response("{}", { status: 503 });
  const log = new page.LogLines("r", {});
  await log.start();
  assert.equal(log.problem.value.status, 503);
  own.answer = () => answer({ items: lines(1, 3), has_next: false }, 3);
  t.mock.timers.tick(1000);
  t.mock.timers.tick(250);
  await settled();
  assert.equal(log.problem.value, undefined);
  assert.deepEqual(log.lines.value.map((line) => line.seq), [1, 2, 3]);
  assert.ok(own.asked.every(([name]) => name === "before"), own.asked.join());
  log.follow();
  own.answer = () => answer({ items: lines(4, 4), has_next: false }, 4);
  t.mock.timers.tick(250);
  await settled();
  assert.deepEqual(own.asked.at(-1), ["after", "3"]);
  assert.equal(log.lines.value.length, 4);
});

test("lines that come while older ones are read are read after them", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let release;
  own.answer = () => new Promise((resolve) => (release = resolve));
  const log = new page.LogLines("r", {});
  const started = log.start();
  await settled();
  log.ring([{ run_id: "r" }]);
  t.mock.timers.tick(250);
  await settled();
  own.answer = async () => answer({ items: lines(2, 2), has_next: false }, 2);
  release(answer({ items: lines(1, 1), has_next: false }, 1));
  await started;
  t.mock.timers.tick(250);
  await settled();
  assert.deepEqual(log.lines.value.map((line) => line.seq), [1, 2]);
});

test("a line that is newer than the number of its answer is held once", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  own.answer = (query) => answer({ items: lines(Number(query.get("after") ?? 0) + 1, 3), has_next: false }, 1);
  const log = new page.LogLines("r", {});
  await log.start();
  log.follow();
  own.answer = (query) => answer({ items: lines(Number(query.get("after")) + 1, 5), has_next: false }, 4);
  t.mock.timers.tick(250);
  await settled();
  log.follow();
  own.answer = (query) => answer({ items: lines(Number(query.get("after")) + 1, 6), has_next: false }, 6);
  t.mock.timers.tick(250);
  await settled();
  assert.deepEqual(log.lines.value.map((line) => line.seq), [1, 2, 3, 4, 5, 6]);
});

test("a long log has the newest lines without a gap, and says that there are more", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const end = 2 * page.HELD_MAX;
  own.answer = (query) => {
    const before = Math.min(end + 1, Number(query.get("before")));
    const items = query.has("after") ? lines(end + 1, end + 5) : lines(before - 1000, before - 1);
    return answer({ items, has_next: !query.has("after"), cursor: String(items[0].seq) }, end);
  };
  const log = new page.LogLines("r", {});
  await log.start();
  for (let read = 0; read < 30; read += 1) await log.older();
  log.follow();
  t.mock.timers.tick(250);
  await settled();
  const held = log.lines.value.map((line) => line.seq);
  assert.equal(held.length, page.HELD_MAX);
  assert.equal(held.at(-1), end + 5);
  assert.ok(held.every((seq, at) => at === 0 || seq === held[at - 1] + 1), "no gap");
  assert.equal(log.isFull && log.hasOlder.value, true);
});

test("a log that nobody sees any more asks nothing", async () => {
  let aborted;
  own.answer = () => new Promise(() => undefined);
  const fetched = globalThis.fetch;
  globalThis.fetch = (url, options) => {
    aborted = options.signal;
    return fetched(url);
  };
  const log = new page.LogLines("r", {});
  void log.start();
  await settled();
  log.stop();
  assert.equal(aborted.aborted, true);
  globalThis.fetch = fetched;
});

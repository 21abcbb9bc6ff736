// The largest graphs and long logs: the page stays quick, and draws little.
import assert from "node:assert/strict";
import { test } from "node:test";
import { count, heap, time } from "./figures.mjs";
import { isLive, skip, world } from "./world.mjs";

const LAYOUT_MS_MAX = 300;
const TASK_MS_MAX = 50;
const DRAWN_MAX = 400;
const ROWS_MAX = 200;
const HEAP_MB_MAX = 80;
const LINES = 100_000;
/** A log that grows by so many lines a second, for so many seconds. */
const FAST = { lines: 2000, seconds: 10 };

const id = (at) => `n${at}`;
const layers = (columns, rows, each) => {
  const edges = [];
  for (let node = 0; node < (columns - 1) * rows; node += 1) {
    const next = (Math.floor(node / rows) + 1) * rows;
    for (let edge = 0; edge < each; edge += 1) edges.push({ from: id(node), to: id(next + ((node * 7 + edge * 13) % rows)) });
  }
  return edges;
};

const GRAPHS = {
  chain: Array.from({ length: 999 }, (_, at) => ({ from: id(at), to: id(at + 1) })),
  fan: Array.from({ length: 999 }, (_, at) => ({ from: id(0), to: id(at + 1) })),
  layers: layers(25, 40, 3),
  dense: layers(25, 40, 20),
};

const own = world({}, async ({ server }) => {
  const nodes = Array.from({ length: 1000 }, (_, at) => ({ id: id(at), type: "command", config: { command: ["true"] } }));
  for (const [name, edges] of Object.entries(GRAPHS)) await server.call("POST", "pipelines", { id: name, name, nodes, edges });
  const script = `seq 1 ${LINES} | sed 's/^/line /' >&2`;
  await server.call("POST", "pipelines", { id: "talkative", name: "talkative", nodes: [{ id: "say", type: "command", config: { command: ["sh", "-c", script] } }] });
});

/** Counts frames while a drawing is dragged to and fro. */
async function panned(page) {
  const box = await page.locator(".drawing").boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.evaluate(() => {
    globalThis.frames = 0;
    const count = () => {
      globalThis.frames += 1;
      requestAnimationFrame(count);
    };
    requestAnimationFrame(count);
  });
  const from = Date.now();
  await page.mouse.move(x, y);
  await page.mouse.down();
  for (let step = 0; step < 60; step += 1) await page.mouse.move(x + 3 * (step % 40), y + (step % 20));
  await page.mouse.up();
  const frames = await page.evaluate(() => globalThis.frames);
  return Math.round((1000 * frames) / (Date.now() - from));
}

for (const name of Object.keys(GRAPHS)) {
  test(`1,000 nodes as ${name} are drawn without a long task`, { skip }, async () => {
    const { page, faults, context } = await own.open("/pipelines");
    await page.addInitScript(() => {
      globalThis.long = [];
      new PerformanceObserver((list) => globalThis.long.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: "longtask" });
    });
    await page.goto(`${own.server.origin}/pipelines/${name}?view=graph`);
    // A chain is a line without a height, which counts as hidden.
    await page.locator(".drawing svg path").first().waitFor({ state: "attached" });
    const { ms, long, drawn } = await page.evaluate(() => ({
      ms: performance.getEntriesByName("floret layout")[0].duration,
      long: Math.max(0, ...globalThis.long),
      drawn: document.querySelectorAll(".node").length,
    }));
    const rate = await panned(page);
    time(`layout of 1,000 nodes as ${name}`, ms, LAYOUT_MS_MAX);
    time(`longest task of 1,000 nodes as ${name}`, long, TASK_MS_MAX);
    count(`nodes drawn of 1,000 as ${name}`, drawn, DRAWN_MAX);
    console.log(`1,000 nodes as ${name}: ${rate} frames/s while it is dragged, at least 50 on a quiet machine`);
    assert.deepEqual(faults, []);
    await context.close();
  });
}

const rowsOf = (page) => page.locator(".line").count();

test("the end of a long log is there soon, and few of its lines are in the document", { skip }, async () => {
  const run = await own.server.call("POST", "pipelines/talkative/run?wait=60", {});
  const { page, faults } = await own.open("/pipelines");
  await isLive(page);
  const from = Date.now();
  await page.goto(`${own.server.origin}/runs/${run.id}?node=say&panel=log`);
  await page.locator(".line", { hasText: `line ${LINES}` }).first().waitFor();
  time(`end of ${LINES} log lines`, Date.now() - from, 500);
  count("rows of the log in the document", await rowsOf(page), ROWS_MAX);
  const wanted = `line ${LINES / 2}`;
  const searched = Date.now();
  await page.getByRole("searchbox").fill(wanted);
  await page.waitForFunction((text) => document.querySelector(".line")?.textContent.includes(text), wanted);
  time(`search in ${LINES} log lines`, Date.now() - searched, 1000);
  await page.getByRole("searchbox").fill("");
  await page.locator(".line", { hasText: `line ${LINES}` }).first().waitFor();
  for (let read = 0; read < 30; read += 1) {
    await page.locator(".log-lines").evaluate((log) => (log.scrollTop = 0));
    await page.waitForTimeout(100);
  }
  count("rows of the log after it was read back", await rowsOf(page), ROWS_MAX);
  await heap("a long log that was read back", page, HEAP_MB_MAX);
  assert.deepEqual(faults, []);
});

test("a log that grows fast is followed to its end", { skip }, async () => {
  const lines = FAST.lines * FAST.seconds;
  const script = `i=0; while [ $i -lt ${FAST.seconds} ]; do seq $((i * ${FAST.lines} + 1)) $(((i + 1) * ${FAST.lines})) | sed 's/^/fast /' >&2; i=$((i + 1)); sleep 1; done`;
  await own.server.call("POST", "pipelines", { id: "fast", name: "fast", nodes: [{ id: "say", type: "command", config: { command: ["sh", "-c", script] } }] });
  const run = await own.server.call("POST", "pipelines/fast/run", {});
  const { page, faults, requests } = await own.open(`/runs/${run.id}?node=say&panel=log`);
  await page.locator(".line", { hasText: "fast" }).first().waitFor();
  const [before, from] = [requests.length, Date.now()];
  await own.server.call("GET", `runs/${run.id}?wait=60`);
  const ended = Date.now();
  await page.locator(".line", { hasText: `fast ${lines}` }).first().waitFor();
  time(`end of a log of ${FAST.lines} lines/s, after its run`, Date.now() - ended, 1000);
  const seconds = (Date.now() - from) / 1000;
  count(`requests of the page in ${seconds.toFixed(1)} s of that log`, requests.length - before, Math.ceil(2 * seconds) + 4);
  count("rows of the log in the document", await rowsOf(page), ROWS_MAX);
  await heap("a log that was followed", page, HEAP_MB_MAX);
  assert.deepEqual(faults, []);
});

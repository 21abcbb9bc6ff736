// The largest graphs and long logs: the page stays quick, and draws little.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isLive, skip, world } from "./world.mjs";

const LAYOUT_MS_MAX = 300;
const DRAWN_MAX = 400;
const ROWS_MAX = 200;
const LINES = 30_000;

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
    console.log(`1,000 nodes as ${name}: layout ${ms.toFixed(0)} ms, longest task ${long.toFixed(0)} ms, ${drawn} nodes drawn, ${rate} frames/s`);
    assert.ok(ms <= LAYOUT_MS_MAX, `${ms} ms`);
    assert.ok(drawn <= DRAWN_MAX, `${drawn} nodes`);
    assert.deepEqual(faults, []);
    await context.close();
  });
}

test("the end of a long log is there soon, and few of its lines are in the document", { skip }, async () => {
  const run = await own.server.call("POST", "pipelines/talkative/run?wait=60", {});
  const { page, faults } = await own.open("/pipelines");
  await isLive(page);
  const from = Date.now();
  await page.goto(`${own.server.origin}/runs/${run.id}?node=say&panel=log`);
  await page.locator(".line", { hasText: `line ${LINES}` }).first().waitFor();
  const ms = Date.now() - from;
  const rows = await page.locator(".line").count();
  const searched = Date.now();
  await page.getByRole("searchbox").fill(`line ${LINES / 2}`);
  await page.waitForFunction((text) => document.querySelector(".line")?.textContent.includes(text), `line ${LINES / 2}`);
  console.log(`${LINES} log lines: end after ${ms} ms, search after ${Date.now() - searched} ms, ${rows} rows in the document`);
  assert.ok(rows <= ROWS_MAX, `${rows} rows`);
  assert.deepEqual(faults, []);
});

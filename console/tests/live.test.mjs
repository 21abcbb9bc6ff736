// The page stays current: how fast, through a crash of the server, and without a WebSocket.
import assert from "node:assert/strict";
import { test } from "node:test";
import { time } from "./figures.mjs";
import { startProxy } from "./proxy.mjs";
import { finish, startServer } from "./server.mjs";
import { isLive, skip, world } from "./world.mjs";

const PIXEL_MS_MAX = 300;
const ROUNDS = 20;
const own = world();

/** Returns when the page first shows that a run has a status, in the time of the page. */
const shownAt = (page, id, word) =>
  page.evaluate(([run, text]) => new Promise((resolve) => {
    const look = () => {
      const row = [...document.querySelectorAll("tbody tr")].find((one) => one.querySelector(`a[href*="${run}"]`));
      if (row?.textContent.includes(text)) resolve(Date.now());
      else requestAnimationFrame(look);
    };
    look();
  }), [id, word]);

test("an event of a run is on the screen soon", { skip }, async () => {
  const took = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const run = await own.server.call("POST", "pipelines/backup/run", {});
    const { page, context } = await own.open(`/runs/${run.id}?view=table`);
    await isLive(page);
    await page.locator(".status", { hasText: "Running" }).first().waitFor();
    const shown = page.evaluate(() => new Promise((resolve) => {
      const look = () => {
        if (document.querySelector(".object .status.is-cancelled")) resolve(Date.now());
        else requestAnimationFrame(look);
      };
      look();
    }));
    await own.server.call("POST", `runs/${run.id}/cancel?force=true`, {});
    const at = await shown;
    const ended = await own.server.call("GET", `runs/${run.id}?wait=10`);
    took.push(at - Date.parse(ended.finished_at));
    await context.close();
  }
  took.sort((one, other) => one - other);
  const p95 = took[Math.ceil(0.95 * took.length) - 1];
  console.log(`event to pixel: median ${took[ROUNDS / 2]} ms`);
  time("event to pixel, 95 of 100", p95, PIXEL_MS_MAX);
});

test("a list shows what others start, and asks at most once a second", { skip }, async () => {
  const { page, requests, faults } = await own.open("/runs");
  await isLive(page);
  await page.waitForTimeout(1100);
  const before = requests.length;
  const from = Date.now();
  let newest;
  while (Date.now() - from < 3000) newest = await finish(own.server, "quick");
  await shownAt(page, newest.id, "Success");
  const seconds = (Date.now() - from) / 1000;
  const asked = requests.length - before;
  console.log(`a busy list: ${asked} requests in ${seconds.toFixed(1)} s`);
  assert.ok(asked <= seconds + 2, `${asked} requests in ${seconds} s`);
  assert.deepEqual(faults, []);
});

test("a quiet page asks nothing", { skip }, async () => {
  const { page, requests } = await own.open("/pipelines/orders");
  await isLive(page);
  await page.waitForTimeout(500);
  const before = requests.length;
  await page.waitForTimeout(3000);
  assert.equal(requests.length, before);
});

test("the page says that the server is gone, and goes on without a gap when it is back", { skip }, async () => {
  const first = await startServer();
  await first.call("POST", "pipelines", { id: "late", name: "late", nodes: [{ id: "only", type: "command", config: { command: ["true"] } }] });
  await finish(first, "late");
  const { page, faults } = await own.open("/runs", {}, first.origin);
  await isLive(page);
  await first.kill();
  await page.locator(".banner").waitFor();
  assert.match(await page.locator(".banner").textContent(), /What you see may be old/);
  const second = await startServer({ folder: first.folder, port: first.port });
  const run = await finish(second, "late");
  await page.locator(`tbody a[href*="${run.id}"]`).waitFor({ timeout: 40_000 });
  await isLive(page);
  assert.equal(await page.locator(".banner").count(), 0);
  await second.kill();
  assert.deepEqual(faults, []);
});

test("a run and its log go on without a gap after the server was killed in the middle", { skip }, async (t) => {
  const first = await startServer();
  t.after(first.kill);
  const script = "for i in 1 2 3 4 5 6 7 8; do echo step $i >&2; sleep 0.3; done";
  const nodes = [{ id: "steps", type: "command", config: { command: ["sh", "-c", script] } }];
  await first.call("POST", "pipelines", { id: "long", name: "long", nodes });
  const run = await first.call("POST", "pipelines/long/run", {});
  const { page, faults } = await own.open(`/runs/${run.id}?node=steps&panel=log`, {}, first.origin);
  await page.locator(".line", { hasText: "step 3" }).waitFor();
  await first.kill();
  await page.locator(".banner", { hasText: "What you see may be old" }).waitFor();
  assert.equal(await page.locator(".line", { hasText: "step 3" }).count(), 1, "what was read is still there");
  const second = await startServer({ folder: first.folder, port: first.port });
  t.after(second.kill);
  await page.locator(".object .status", { hasText: "Success" }).waitFor({ timeout: 120_000 });
  const { items } = await second.call("GET", `runs/${run.id}/logs?node_id=steps&after=0`);
  await page.waitForFunction((count) => document.querySelectorAll(".line").length === count, items.length);
  assert.deepEqual(await page.locator(".line .message").allTextContents(), items.map((line) => line.message));
  assert.ok(items.filter((line) => line.message === "step 1").length === 2, "the node was executed again");
  assert.deepEqual(faults, []);
});

test("where no WebSocket gets through, the page follows server-sent events", { skip }, async () => {
  const proxy = await startProxy(own.server, { noWebSocket: true });
  const { page, faults, requests } = await own.open("/runs", {}, proxy.origin);
  await page.locator(".live.is-live").waitFor({ timeout: 20_000 });
  assert.ok(requests.some((url) => url.includes("/api/events?")));
  const run = await finish(own.server, "quick");
  await shownAt(page, run.id, "Success");
  assert.deepEqual(faults, []);
  proxy.close();
});

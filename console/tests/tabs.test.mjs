// Many tabs on a busy server: how much each asks, and how much it keeps.
import assert from "node:assert/strict";
import { test } from "node:test";
import { count, heap, isLeftOut } from "./figures.mjs";
import { isLive, skip, world } from "./world.mjs";

const TABS = 50;
const BUSY = 12;
const SECONDS = 8;
const PER_SECOND_MAX = 2;
/** What a tab may read at once after a quiet time, and what it may still have to read. */
const AT_ONCE = 6;

const own = world({}, async ({ server }) => {
  for (let at = 0; at < BUSY; at += 1) {
    const nodes = [{ id: "only", type: "command", config: { command: ["true"] } }];
    await server.call("POST", "pipelines", { id: `busy-${at}`, name: `Busy ${at}`, nodes });
  }
});

const start = (at) => own.server.call("POST", `pipelines/busy-${at % BUSY}/run`, {});

/** Starts runs until it is stopped. Returns what stops it, and says how many seconds it lasted. */
function work() {
  const from = Date.now();
  let isOn = true;
  const done = (async () => {
    for (let at = 0; isOn; at += 1) await start(at);
  })();
  return async () => {
    isOn = false;
    await done;
    return (Date.now() - from) / 1000;
  };
}

/** The most requests of a tab in so many seconds. */
const mostIn = (seconds) => Math.ceil(PER_SECOND_MAX * seconds) + AT_ONCE;

/** Counts the requests of a page for the API from now on. */
function counted(page) {
  let asked = 0;
  page.on("request", (request) => (asked += Number(request.url().includes("/api/"))));
  return () => asked;
}

const hide = (page) =>
  page.evaluate(() => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
    document.dispatchEvent(new Event("visibilitychange"));
  });

test("each view of a busy server asks at most twice a second", { skip }, async () => {
  // More runs than the dashboard has.
  for (let at = 0; at < 60; at += 1) await start(at);
  for (const path of ["/overview", "/pipelines", "/pipelines/busy-0", "/pipelines/busy-0?view=graph", "/runs"]) {
    const { page, faults, context } = await own.open(path);
    await isLive(page);
    const asked = counted(page);
    const stop = work();
    await page.waitForTimeout(SECONDS * 1000);
    const seconds = await stop();
    count(`requests of ${path} in ${seconds.toFixed(1)} s`, asked(), mostIn(seconds));
    assert.ok(asked() >= 2, "it is current");
    assert.deepEqual(faults, []);
    await context.close();
  }
});

test(`${TABS} tabs ask at most twice a second each, hidden ones nothing`, { skip: skip || isLeftOut }, async () => {
  const { page: first, context } = await own.open("/overview");
  const pages = [first];
  while (pages.length < TABS) pages.push(await context.newPage());
  const paths = ["/overview", "/pipelines", "/runs", `/runs/${own.orders.id}`, "/pipelines/busy-0"];
  await Promise.all(pages.map((page, at) => page.goto(`${own.server.origin}${paths[at % paths.length]}`)));
  await Promise.all(pages.map(isLive));
  const hidden = pages.filter((_, at) => at % 2 === 1);
  await Promise.all(hidden.map(hide));
  await first.waitForTimeout(61_000);
  const asked = pages.map(counted);
  const stop = work();
  await first.waitForTimeout(SECONDS * 1000);
  const seconds = await stop();
  const shown = pages.flatMap((page, at) => (hidden.includes(page) ? [] : [asked[at]()]));
  const asleep = pages.flatMap((page, at) => (hidden.includes(page) ? [asked[at]()] : []));
  count(`most requests of one of ${shown.length} shown tabs in ${seconds.toFixed(1)} s`, Math.max(...shown), mostIn(seconds));
  count(`requests of ${asleep.length} hidden tabs`, asleep.reduce((sum, one) => sum + one, 0), 0);
  await context.close();
});

test("a page that is left open on a busy server keeps no more than 5 MB of what has passed", { skip: skip || isLeftOut }, async () => {
  for (const path of ["/overview", "/pipelines", "/runs"]) {
    const { page, context } = await own.open(path);
    await isLive(page);
    const stop = work();
    await page.waitForTimeout(5000);
    const before = await heap(`${path} at first`, page, 80);
    await page.waitForTimeout(15_000);
    const after = await heap(`${path} later`, page, 80);
    await stop();
    count(`${path}: MB more after 15 s of a busy server`, Math.max(0, Math.round((after - before) / 1e5) / 10), 5);
    await context.close();
  }
});

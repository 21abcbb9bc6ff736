// A store of a million runs: every page is there at once. FLORET_MILLION names a folder with
// such a store as runs.db; the tests write into it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, openPage } from "./browser.mjs";
import { count, heap, time } from "./figures.mjs";
import { startServer } from "./server.mjs";
import { isLive, skip } from "./world.mjs";

const FOLDER = process.env.FLORET_MILLION;
const isLeftOut = FOLDER === undefined ? "FLORET_MILLION names no store" : skip;
const PAGE_MS_MAX = 200;
const ROUNDS = 5;
const RUNS_MIN = 1_000_000;
/** A page is left open while so many runs begin and end. */
const BUSY_RUNS = 600;
const GROWTH_MB_MAX = 5;

const own = {};
before(async () => {
  if (isLeftOut) return;
  [own.browser, own.server] = await Promise.all([launch(), startServer({ folder: FOLDER })]);
  const [run] = await own.server.call("GET", "runs?status=success");
  own.paths = [
    "/overview", "/pipelines", `/pipelines/${run.pipeline_id}`, `/pipelines/${run.pipeline_id}?view=graph`,
    `/pipelines/${run.pipeline_id}?view=schedule`, `/pipelines/${run.pipeline_id}?view=backfill`, "/runs", "/runs?status=failed",
    `/runs?pipeline_id=${run.pipeline_id}`, "/runs?to=2026-05-01T00:00:00Z", "/runs?trigger=schedule", `/runs/${run.id}`, "/calendar",
    "/lineage", "/schedules", "/backfills", "/connections", "/variables", "/system",
  ];
});
after(async () => {
  await own.browser?.close();
  await own.server?.kill();
});

/** Notes when the page has been without a request and without a place holder for a while. */
const settled = () => {
  globalThis.shownAt = undefined;
  let quietSince;
  const look = () => {
    const isLoading = document.querySelector("main h1") === null || document.querySelector(".loading") !== null;
    const now = performance.now();
    quietSince = isLoading ? undefined : (quietSince ?? now);
    if (quietSince !== undefined && now - quietSince > 300) globalThis.shownAt = quietSince;
    else requestAnimationFrame(look);
  };
  look();
};

test("each page of a million runs is there at once", { skip: isLeftOut }, async () => {
  const { total } = await own.server.call("GET", "runs?page=1&per_page=1");
  assert.ok(total >= RUNS_MIN, `${total} runs`);
  const { page, faults, context } = await openPage(own.browser, own.server.origin);
  await page.addInitScript(settled);
  const slow = [];
  for (const path of own.paths) {
    const times = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      await page.goto(`${own.server.origin}${path}`);
      const shown = await page.waitForFunction(() => globalThis.shownAt);
      times.push(await shown.jsonValue());
    }
    const median = times.sort((one, other) => one - other)[Math.floor(ROUNDS / 2)];
    console.log(`${path.replace(/[0-9a-f-]{36}/, "ID")}: ${Math.round(median)} ms`);
    if (median > PAGE_MS_MAX) slow.push(path);
    assert.equal(await page.getByRole("alert").count(), 0, path);
  }
  time(`pages above ${PAGE_MS_MAX} ms: ${slow.join(" ")}`, slow.length, 0);
  assert.deepEqual(faults, []);
  await context.close();
});

test("a page that is left open on a busy server keeps little", { skip: isLeftOut }, async () => {
  const nodes = [{ id: "only", type: "command", config: { command: ["true"] } }];
  await own.server.call("POST", "pipelines", { id: "busy", name: "Busy", nodes }).catch(() => undefined);
  const { page, faults, context } = await openPage(own.browser, own.server.origin);
  await page.goto(`${own.server.origin}/overview`);
  await isLive(page);
  await page.waitForTimeout(3000);
  const before = await heap("a page before the work", page, 100);
  for (let at = 0; at < BUSY_RUNS; at += 1) await own.server.call("POST", "pipelines/busy/run?wait=10", {});
  await page.waitForTimeout(3000);
  const later = await heap("a page after the work", page, 100);
  count("growth of its heap in MB", Math.max(0, Math.round((later - before) / 1_000_000)), GROWTH_MB_MAX);
  assert.deepEqual(faults, []);
  await context.close();
});

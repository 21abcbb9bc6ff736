// What the page says while the API refuses what it reads, and how it goes on.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startProxy } from "./proxy.mjs";
import { finish } from "./server.mjs";
import { isLive, skip, world } from "./world.mjs";

const own = world({}, async (made) => {
  made.proxy = await startProxy(made.server);
});

/** The most reads in six seconds: one at once, the others after growing pauses. */
const READS_MAX = { 403: 1, 500: 6, 503: 6 };

for (const [status, most] of Object.entries(READS_MAX)) {
  test(`a read that is refused with ${status} says so, keeps what was there, and makes no loop`, { skip }, async () => {
    const { page, requests, faults, context } = await own.open("/runs", {}, own.proxy.origin);
    await isLive(page);
    const rows = await page.locator("tbody tr").count();
    await page.waitForTimeout(1100);
    own.proxy.refuseReads = Number(status);
    const before = requests.length;
    await own.server.call("POST", "pipelines/quick/run", {});
    await page.getByRole("alert").getByText(`Refused with ${status}`).waitFor();
    await page.waitForTimeout(6000);
    const reads = requests.slice(before).filter((url) => url.includes("/api/runs?"));
    // Each ring of the run reads once, too.
    assert.ok(reads.length >= 1 && reads.length <= most + 3, `${reads.length} reads in 6 s`);
    assert.ok((await page.locator("tbody tr").count()) >= rows, "what was read is still there");
    own.proxy.refuseReads = undefined;
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("alert").waitFor({ state: "detached" });
    const run = await finish(own.server, "quick");
    await page.locator(`tbody a[href*="${run.id}"]`).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });
}

test("a read that is refused with 401 stops everything until the caller is known", { skip }, async () => {
  const { page, requests, faults, context } = await own.open("/runs", {}, own.proxy.origin);
  await isLive(page);
  await page.waitForTimeout(1100);
  own.proxy.refuseReads = 401;
  await finish(own.server, "quick");
  await page.getByLabel("Key of the API").waitFor();
  const before = [requests.length, own.proxy.streams];
  await finish(own.server, "quick");
  await page.waitForTimeout(3000);
  assert.deepEqual([requests.length, own.proxy.streams], before, "no loop");
  own.proxy.refuseReads = undefined;
  await page.getByRole("button", { name: "Use the key" }).click();
  await page.locator("tbody tr").first().waitFor();
  await isLive(page);
  assert.deepEqual(faults, []);
  await context.close();
});

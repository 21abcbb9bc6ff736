// Where the console is mounted: at the root, and below a prefix that a proxy strips.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startProxy } from "./proxy.mjs";
import { isLive, skip, world } from "./world.mjs";

/** Three times what a quiet machine needs at most, since others may work beside the test. */
const FIRST_MS_MAX = 900;
const FIRST_REQUESTS_MAX = 6;
const own = world({}, async (made) => {
  made.proxy = await startProxy(made.server, { prefix: "/ops/flows", cookie: "session=1" });
});

const deepLinks = () => ["/overview", "/pipelines", "/pipelines/orders?view=graph", "/runs", `/runs/${own.orders.id}?node=join&panel=log`];

async function checkDeepLinks(address, options) {
  for (const path of deepLinks()) {
    const { context, page, faults } = await own.open(path, options, address);
    await page.locator("h1").first().waitFor();
    await isLive(page);
    await page.reload();
    await isLive(page);
    assert.equal(page.url(), address + path);
    assert.deepEqual(faults, [], path);
    await context.close();
  }
}

test("every deep link loads, reloads and is live at the root", { skip }, () => checkDeepLinks(own.server.origin));

test("every deep link loads, reloads and is live below a prefix, behind a cookie", { skip }, async () => {
  const state = { cookies: [{ name: "session", value: "1", domain: "127.0.0.1", path: "/", expires: -1, httpOnly: true, secure: false, sameSite: "Lax" }], origins: [] };
  await checkDeepLinks(own.proxy.address, { storageState: state });
  for (const root of ["", "/", "/?zone=UTC"]) {
    const { page, faults, context } = await own.open(root, { storageState: state }, own.proxy.address);
    await page.waitForURL(`${own.proxy.address}/overview*`);
    await isLive(page);
    assert.deepEqual(faults, []);
    await context.close();
  }
});

test("the first page is there soon, with few requests and few bytes", { skip }, async () => {
  const { context, page } = await own.open("/pipelines");
  await isLive(page);
  await context.close();
  const { page: cold, requests } = await own.open("/overview");
  await cold.locator(".figures").waitFor();
  const shown = requests.length;
  const ms = await cold.evaluate(async () => {
    const painted = performance.getEntriesByName("first-contentful-paint")[0];
    return painted.startTime;
  });
  console.log(`first page: painted after ${ms.toFixed(0)} ms, ${shown} requests at most`);
  assert.ok(ms <= FIRST_MS_MAX, `${ms} ms`);
  const assets = requests.filter((url) => url.includes("/assets/"));
  assert.ok(assets.length + 1 <= FIRST_REQUESTS_MAX, assets.join());
});

test("back leads to the view before, with its state", { skip }, async () => {
  const { page, faults } = await own.open("/pipelines?q=ord");
  await page.getByRole("link", { name: "Daily orders" }).click();
  await page.getByRole("button", { name: "Graph" }).click();
  await page.locator(".node").first().waitFor();
  await page.goBack();
  await page.locator(".grid").waitFor();
  await page.goBack();
  assert.equal(await page.getByRole("searchbox").inputValue(), "ord");
  assert.equal(await page.locator("tbody tr").count(), 1);
  assert.deepEqual(faults, []);
});

test("an address of nothing says so, and leads on", { skip }, async () => {
  const { page, faults } = await own.open("/nothing/here");
  await page.getByRole("link", { name: "To the overview" }).click();
  await page.locator(".figures").waitFor();
  await page.goto(`${own.server.origin}/runs/019a0000-0000-7000-8000-000000000000`);
  await page.getByRole("alert").getByRole("link", { name: "All runs" }).click();
  await page.getByRole("heading", { name: "Runs" }).waitFor();
  assert.deepEqual(faults, []);
});

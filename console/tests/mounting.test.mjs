// Where the console is mounted: at the root, and below a prefix that a proxy strips.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage } from "./browser.mjs";
import { count, time } from "./figures.mjs";
import { startProxy } from "./proxy.mjs";
import { isLive, skip, world } from "./world.mjs";

const FIRST_MS_MAX = 300;
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
  const { page: cold, requests, context: other } = await openPage(own.browser, own.server.origin);
  await cold.addInitScript(() => {
    const look = () => {
      if (document.querySelector(".figures") === null) requestAnimationFrame(look);
      else globalThis.usableAt = performance.now();
    };
    look();
  });
  let needed = 0;
  cold.on("response", (response) => {
    // Nothing waits for the icon.
    if (response.url().includes("/api/dashboard")) needed = requests.filter((url) => !url.includes("/icon")).length;
  });
  await cold.goto(`${own.server.origin}/overview`);
  await isLive(cold);
  time("first page, with its figures", await cold.evaluate(() => globalThis.usableAt), FIRST_MS_MAX);
  const files = requests.map((url) => new URL(url).pathname.replace(/-[0-9a-f]{10}\./, "."));
  console.log(`first page: ${files.join(" ")}`);
  count("requests until the first page has its figures", needed, FIRST_REQUESTS_MAX);
  count("requests of the first page, with the icon and the schedules", files.length, FIRST_REQUESTS_MAX + 2);
  await other.close();
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

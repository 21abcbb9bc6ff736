// What the page does when its stream ends, is refused, or has missed something.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startProxy } from "./proxy.mjs";
import { finish } from "./server.mjs";
import { isLive, skip, world } from "./world.mjs";

const own = world({}, async (made) => {
  made.proxy = await startProxy(made.server);
});

async function live(path = "/runs") {
  const opened = await own.open(path, {}, own.proxy.origin);
  await isLive(opened.page);
  return opened;
}

/** Counts the requests for snapshots from now on. */
function snapshots(requests) {
  const from = requests.length;
  return () => requests.slice(from).filter((url) => /\/api\/runs\?/.test(url)).length;
}

for (const status of [503, 410, 400]) {
  test(`a stream that is refused with ${status} is tried again, slower each time`, { skip }, async () => {
    const { page, requests, faults, context } = await live();
    own.proxy.refuseStreams = status;
    const [read, before] = [snapshots(requests), own.proxy.streams];
    own.proxy.cut();
    await page.locator(".live:not(.is-live)").waitFor();
    await page.waitForTimeout(6000);
    const tries = own.proxy.streams - before;
    assert.ok(tries >= 1 && tries <= 7, `${tries} tries in 6 s`);
    if (status === 503) await page.locator(".banner", { hasText: "Refused with 503" }).waitFor();
    else assert.ok(read() >= 1, "the events in between are gone, so the page reads again");
    own.proxy.refuseStreams = undefined;
    const run = await finish(own.server, "quick");
    await page.locator(`tbody a[href*="${run.id}"]`).waitFor({ timeout: 40_000 });
    await isLive(page);
    assert.deepEqual(faults, []);
    await context.close();
  });
}

test("a caller that may not follow events hears so once", { skip }, async () => {
  const { page, faults, context } = await live();
  own.proxy.refuseStreams = 403;
  own.proxy.cut();
  await page.locator(".banner", { hasText: "You may not follow events" }).waitFor({ timeout: 15_000 });
  const before = own.proxy.streams;
  await page.waitForTimeout(3000);
  assert.equal(own.proxy.streams, before, "no loop");
  own.proxy.refuseStreams = undefined;
  assert.deepEqual(faults, []);
  await context.close();
});

test("a stream that is refused with 401 leads to the key", { skip }, async () => {
  const { page, context } = await live();
  own.proxy.refuseStreams = 401;
  own.proxy.cut();
  await page.getByLabel("Key of the API").waitFor({ timeout: 15_000 });
  const before = own.proxy.streams;
  await page.waitForTimeout(2000);
  assert.equal(own.proxy.streams, before, "no loop");
  own.proxy.refuseStreams = undefined;
  await context.close();
});

test("a page that has lagged reads again, and the one that was thrown out comes back", { skip }, async () => {
  const { page, faults, context } = await own.open("/pipelines");
  let socket;
  await page.routeWebSocket(/\/api\/ws/, (route) => {
    socket = route;
    const server = route.connectToServer();
    server.onMessage((message) => route.send(message));
  });
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(`${own.server.origin}/runs`);
  await isLive(page);
  await page.waitForTimeout(1200);
  const read = snapshots(requests);
  socket.send(JSON.stringify({ type: "lagged", missed: 7, next_seq: 2 }));
  await page.waitForTimeout(1500);
  assert.equal(read(), 1);
  await socket.close({ code: 1013, reason: "too slow" });
  await page.locator(".banner", { hasText: "The connection is lost" }).waitFor();
  await isLive(page);
  assert.deepEqual(faults, []);
  await context.close();
});

test("a tab that nobody looks at for a minute has no stream, and comes back without a gap", { skip }, async () => {
  const { page, faults, context } = await own.open("/pipelines", {}, own.proxy.origin);
  await page.clock.install();
  await page.goto(`${own.proxy.origin}/runs`);
  await isLive(page);
  const show = (hidden) =>
    page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await show(true);
  await page.clock.fastForward(61_000);
  await page.locator(".live.is-hidden").waitFor();
  const before = own.proxy.streams;
  const run = await finish(own.server, "quick");
  await page.waitForTimeout(500);
  assert.equal(own.proxy.streams, before);
  await show(false);
  await isLive(page);
  await page.clock.runFor(2000);
  await page.locator(`tbody a[href*="${run.id}"]`).waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

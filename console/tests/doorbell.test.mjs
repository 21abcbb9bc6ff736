// The stream of a tab, without a browser: what only a slow hand or a busy server brings about.
import assert from "node:assert/strict";
import { before, beforeEach, test } from "node:test";
import { load } from "./modules.mjs";

/** A stand-in for the part of a browser that the stream needs. */
const browser = { sockets: [], heard: new Map(), fetch: undefined };
let page;

class Socket {
  constructor(url) {
    this.url = url;
    browser.sockets.push(this);
  }
  close() {
    this.isClosed = true;
  }
}

function fire(type) {
  for (const listener of browser.heard.get(type) ?? []) listener();
}

function show(isShown) {
  document.hidden = !isShown;
  fire("visibilitychange");
}

const open = () => browser.sockets.filter((socket) => !socket.isClosed);

before(async () => {
  const addEventListener = (type, listener) => browser.heard.set(type, [...(browser.heard.get(type) ?? []), listener]);
  Object.assign(globalThis, {
    document: { baseURI: "http://127.0.0.1/", hidden: false, addEventListener },
    location: new URL("http://127.0.0.1/runs"),
    sessionStorage: { getItem: () => null, setItem: () => undefined, removeItem: () => undefined },
    addEventListener,
    requestAnimationFrame: (call) => setImmediate(call),
    WebSocket: Socket,
    fetch: (...given) => browser.fetch(...given),
  });
});

beforeEach(async () => {
  document.hidden = false;
  Object.assign(browser, { sockets: [], heard: new Map() });
  page = await load("live/doorbell.ts", "live/state.ts", "api/session.ts");
  page.watchDoorbell();
});

test("a caller that logs in again has one stream, which stays open", () => {
  page.begin(7);
  open()[0].onopen();
  page.lock();
  assert.equal(open().length, 0);
  page.unlock("");
  assert.equal(browser.sockets.length, 2);
  open()[0].onopen();
  assert.equal(page.state.value.kind, "live");
  assert.equal(browser.sockets.length, 2);
  assert.match(String(open()[0].url), /since=7/);
});

test("a redirect to a login in front of the API is a 401", async () => {
  const asked = [];
  browser.fetch = async (_, options) => {
    asked.push(options.redirect);
    return { type: "opaqueredirect", status: 0, text: async () => "" };
  };
  page.begin(1);
  open()[0].onclose();
  await new Promise(setImmediate);
  assert.deepEqual(asked, ["manual"]);
  assert.equal(page.locked.value, true);
});

test("a tab that was hidden while its events were gone reads again once it is seen", async (t) => {
  browser.fetch = async () => ({ type: "basic", status: 410, text: async () => "{}" });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let resets = 0;
  page.listen({ ring: () => undefined, reset: () => (resets += 1) });
  for (const round of [1, 2]) {
    page.begin(round);
    browser.sockets.at(-1).onclose();
    await new Promise(setImmediate);
    if (round === 1) t.mock.timers.tick(0);
  }
  assert.equal(resets, 1);
  show(false);
  show(true);
  t.mock.timers.tick(30_000);
  assert.equal(resets, 2);
});

test("a tab that was opened behind another one has no stream after a minute", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  document.hidden = true;
  browser.heard = new Map();
  page = await load("live/doorbell.ts", "live/state.ts");
  page.watchDoorbell();
  page.begin(1);
  assert.equal(open().length, 1);
  t.mock.timers.tick(60_000);
  assert.equal(open().length, 0);
  assert.equal(page.state.value.kind, "hidden");
  show(true);
  assert.equal(open().length, 1);
});

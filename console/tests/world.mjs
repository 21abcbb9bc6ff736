// A server with runs and a browser, for the tests of one file.
import { after, before } from "node:test";
import { hasChromium, launch, openPage } from "./browser.mjs";
import { finish, seed, startServer } from "./server.mjs";

/** Why the tests of a browser are left out, or false. */
export const skip = hasChromium ? false : "there is no Chromium";

/** Returns a world that is there while the tests of a file run. `more` adds to it. */
export function world(options = {}, more = () => undefined) {
  const own = {};
  const open = [];
  before(async () => {
    if (skip) return;
    [own.browser, own.server] = await Promise.all([launch(), startServer(options)]);
    Object.assign(own, await seed(own.server));
    own.orders = await finish(own.server, "orders", { labels: { team: "data" } });
    own.invoices = await finish(own.server, "invoices", { note: "monthly" });
    own.hostile = await finish(own.server, "hostile");
    await more(own);
  });
  after(async () => {
    for (const context of open) await context.close();
    await own.browser?.close();
    own.proxy?.close();
    await own.server?.kill();
  });
  /** Opens a page of the console. */
  own.open = async (path, options = {}, address = own.server.origin) => {
    const opened = await openPage(own.browser, new URL(address).origin, options);
    open.push(opened.context);
    await opened.page.goto(`${address}${path}`);
    return opened;
  };
  return own;
}

export const isLive = (page) => page.locator(".live.is-live").waitFor();

// A browser for the tests: Debian's Chromium, with a new empty profile, that reports everything a
// page does wrong.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const hasChromium = existsSync(CHROMIUM);

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function launch() {
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
}

/** Opens a page. `faults` gathers errors, refused content and requests to other origins. */
export async function openPage(browser, origin, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const faults = [];
  const requests = [];
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    // The browser itself notes each refused request and each lost socket.
    const isRefusal = text.startsWith("Failed to load resource") || text.startsWith("WebSocket connection to");
    if (message.type() === "error" && !isRefusal) faults.push(`console: ${text}`);
  });
  page.on("request", (request) => {
    requests.push(request.url());
    if (new URL(request.url()).origin !== origin) faults.push(`foreign: ${request.url()}`);
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  return { context, page, faults, requests };
}

// Takes the pictures of README.md: `npm run screenshots`. People look at them; no test compares
// them.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { launch, openPage } from "./browser.mjs";
import { finish, startServer } from "./server.mjs";

const FOLDER = join(import.meta.dirname, "../../docs/console");
const ROWS = `echo '{"order":1,"amount":12.5}'; echo '{"order":2,"amount":7}'`;
const node = (id, script, more = {}) => ({ id, name: id, type: "command", config: { command: ["sh", "-c", script], ...more } });
const edge = (text) => ({ from: text.split(">")[0], to: text.split(">")[1] });

const PIPELINES = [
  {
    id: "orders", name: "Daily orders", schedule: "0 6 * * mon-fri", schedule_timezone: "Europe/Vienna", tags: ["sales"],
    description: "Orders of the shop, joined with the rates of the day",
    nodes: [
      node("extract", `${ROWS}; echo 'two orders' >&2; sleep 0.7`), node("rates", `${ROWS}; sleep 0.3`), node("customers", `${ROWS}; sleep 0.5`),
      node("join", "cat; sleep 0.9"), node("check", "cat > /dev/null; sleep 0.2"), node("summarize", "cat; sleep 0.4"),
      node("load", "cat > /dev/null; sleep 0.5", { effect: "sink" }),
    ],
    edges: ["extract>join", "rates>join", "customers>join", "join>check", "join>summarize", "summarize>load"].map(edge),
  },
  {
    id: "invoices", name: "Invoices", schedule: "@monthly", tags: ["sales"], description: "Sends the invoices of the month",
    nodes: [node("fetch", ROWS), node("render", "cat; sleep 0.2"), node("send", "echo 'the mail server does not answer' >&2; exit 7")],
    edges: ["fetch>render", "render>send"].map(edge),
  },
  {
    id: "stock", name: "Stock", schedule: "*/15 * * * *", tags: ["warehouse"], description: "Compares the warehouse with the books",
    nodes: [node("read", ROWS), node("compare", "cat; sleep 0.3")], edges: [edge("read>compare")],
  },
  {
    id: "backup", name: "Warehouse backup", tags: ["warehouse"], description: "Copies the warehouse to another house",
    nodes: [node("dump", "i=0; while [ $i -lt 900 ]; do i=$((i + 1)); echo copied $i >&2; sleep 0.2; done"), node("upload", "true")],
    edges: [edge("dump>upload")],
  },
];

const server = await startServer();
for (const pipeline of PIPELINES) await server.call("POST", "pipelines", pipeline);
for (let round = 0; round < 12; round += 1) {
  await Promise.all([finish(server, "stock"), finish(server, "orders"), round % 4 === 0 && finish(server, "invoices")]);
}
const orders = await finish(server, "orders");
const backup = await server.call("POST", "pipelines/backup/run", {});
const browser = await launch();
mkdirSync(FOLDER, { recursive: true });
const views = {
  overview: "/overview",
  pipelines: "/pipelines",
  grid: "/pipelines/orders",
  run: `/runs/${orders.id}?node=join`,
  timeline: `/runs/${orders.id}?view=timeline`,
  log: `/runs/${backup.id}?node=dump&panel=log`,
};
for (const colorScheme of ["light", "dark"]) {
  for (const [name, path] of Object.entries(views)) {
    const options = { viewport: { width: 1100, height: 640 }, colorScheme, reducedMotion: "reduce", timezoneId: "UTC" };
    const { page, context } = await openPage(browser, server.origin, options);
    await page.goto(server.origin + path);
    await page.locator(".live.is-live").waitFor();
    await page.waitForTimeout(1500);
    await page.screenshot({ path: join(FOLDER, `${name}-${colorScheme}.png`) });
    await context.close();
  }
}
await browser.close();
await server.kill();

// Takes a picture of every view, in light and dark, wide and narrow: `npm run screenshots
// [FOLDER]`. People look at them; no test compares them. Those that pages of the repository show
// are also kept in `docs/console`.
import { copyFileSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { launch, openPage } from "./browser.mjs";
import { finish } from "./server.mjs";
import { showcase } from "./showcase.mjs";
import { isLive } from "./world.mjs";

const HOME = join(import.meta.dirname, "../..");
const FOLDER = process.argv[2] ?? join(HOME, "target/screenshots");
const KEPT = { "overview-light-wide": "overview.png", "run-dark-wide": "run.png" };
const KEPT_FOLDER = join(HOME, "docs/console");
const WIDTHS = { wide: { width: 1280, height: 800 }, narrow: { width: 390, height: 844 } };

const { server, orders, backup, invoices } = await showcase();
const click = (name) => (page) => page.getByRole("button", { name }).first().click();

/** The address of each view, and what is done there before the picture. */
const VIEWS = {
  overview: ["/overview"],
  pipelines: ["/pipelines"],
  "pipelines-none": ["/pipelines?q=nothing"],
  grid: ["/pipelines/orders"],
  graph: ["/pipelines/orders?view=graph"],
  schedule: ["/pipelines/orders?view=schedule"],
  definition: ["/pipelines/orders?view=definition"],
  runs: ["/runs"],
  "runs-none": ["/runs?label=team:nobody"],
  run: [`/runs/${orders.id}?node=join`],
  "run-whole": [`/runs/${orders.id}`],
  "run-failed": [`/runs/${invoices.id}?node=send`],
  timeline: [`/runs/${orders.id}?view=timeline`],
  table: [`/runs/${orders.id}?view=table`],
  log: [`/runs/${backup.id}?node=dump&panel=log`],
  data: [`/runs/${orders.id}?node=extract&panel=data`],
  config: [`/runs/${orders.id}?node=load&panel=config`],
  resume: [`/runs/${invoices.id}`, click("Resume…")],
  cancel: [`/runs/${backup.id}`, click("Cancel…")],
  rerun: [`/runs/${orders.id}`, click("Rerun…")],
  trigger: ["/pipelines/orders", click("Run…")],
  search: ["/overview", (page) => page.keyboard.press("Control+k")],
  backfills: ["/backfills"],
  "backfill-new": ["/pipelines/orders?view=backfill&from=2024-01-20&to=2024-03-10"],
  "dry-run": ["/pipelines/orders?view=dry-run"],
  compare: [`/runs/${orders.id}/compare/${invoices.id}`],
  calendar: ["/calendar"],
  lineage: ["/lineage"],
  connections: ["/connections"],
  variables: ["/variables"],
  schedules: ["/schedules"],
  system: ["/system"],
  deliveries: ["/system?view=deliveries"],
  audit: ["/system?view=audit"],
  missing: ["/runs/019a0000-0000-7000-8000-000000000000"],
};

async function take(browser, file, [path, act], options) {
  const { page, context, faults } = await openPage(browser, server.origin, { reducedMotion: "reduce", timezoneId: "UTC", ...options });
  await page.goto(server.origin + path);
  await page.locator("h1, [role=alert]").first().waitFor({ state: "attached" });
  if (!path.includes("/019a")) await isLive(page);
  await act?.(page);
  // Whatever is drawn after its data has come is there.
  await page.waitForTimeout(400);
  await page.screenshot({ path: file });
  await context.close();
  for (const fault of faults) console.log(`${file}: ${fault}`);
}

const browser = await launch();
mkdirSync(FOLDER, { recursive: true });
mkdirSync(KEPT_FOLDER, { recursive: true });
await finish(server, "stock");
for (const [view, what] of Object.entries(VIEWS)) {
  for (const colorScheme of ["light", "dark"]) {
    for (const [width, viewport] of Object.entries(WIDTHS)) {
      const name = `${view}-${colorScheme}-${width}`;
      const file = join(FOLDER, `${name}.png`);
      await take(browser, file, what, { colorScheme, viewport });
      console.log(`${name}: ${statSync(file).size} bytes`);
      if (name in KEPT) copyFileSync(file, join(KEPT_FOLDER, KEPT[name]));
    }
  }
}
await browser.close();
await server.kill();

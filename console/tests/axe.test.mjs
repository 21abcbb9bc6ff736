// axe-core finds nothing serious in any view, light and dark, wide and narrow.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { isLive, skip, world } from "./world.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const own = world({}, async (made) => {
  const [run] = await made.server.call("POST", "pipelines/quick/backfill", { start_date: "2024-01-01", end_date: "2024-02-02", max_parallel: 4 });
  await made.server.call("POST", "connections", { conn_id: "lake", type: "s3", host: "lake.example", password: "secret" });
  await made.server.call("POST", "variables", { key: "token", value: "secret", type: "secret", description: "Of the shop" });
  made.backfill = (await made.server.call("GET", `runs/${run}?wait=30`)).backfill_id;
});

const paths = () => [
  "/overview", "/pipelines", "/pipelines/orders", "/pipelines/orders?view=graph", "/pipelines/orders?view=schedule",
  "/pipelines/orders?view=definition", "/runs", `/runs/${own.orders.id}`, `/runs/${own.orders.id}?view=timeline`,
  `/runs/${own.orders.id}?view=table&node=extract&panel=data`, `/runs/${own.invoices.id}?node=send`,
  `/runs/${own.invoices.id}?node=send&panel=config`, `/runs/${own.orders.id}?node=extract`, "/nothing",
  "/backfills", "/backfills?pipeline_id=orders", `/backfills/${own.backfill}`, `/backfills/${own.backfill}?view=table`,
  "/calendar", "/calendar?as=table", "/lineage?node=pipeline%3Aorders", "/lineage?as=table&nodes=1", "/pipelines/orders?view=lineage&nodes=1",
  `/runs/${own.orders.id}/compare`, `/runs/${own.orders.id}/compare/${own.invoices.id}`, "/pipelines/orders?view=dry-run", "/pipelines/orders?view=definition&as=versions&version=1",
  "/connections", "/variables", "/schedules", "/schedules?as=table", "/system", "/system?view=deliveries", "/system?view=audit",
  "/pipelines/orders?view=backfill", "/pipelines/quick?view=backfill&from=2024-01-20&to=2024-03-10",
];

async function serious(page, options = {}) {
  // The policy of the page admits no script of a test, so it is evaluated from outside.
  await page.evaluate(axe);
  const run = (options) => globalThis.axe.run(document, { resultTypes: ["violations"], ...options });
  const { violations, passes } = await page.evaluate(run, options);
  const looked = passes.reduce((sum, { nodes }) => sum + nodes.length, 0);
  assert.ok(looked > 0, "axe has looked at the page");
  const bad = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return bad.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).slice(0, 3).join(" | ")}`);
}

for (const width of [390, 1280]) {
  test(`nothing serious in light and in dark at ${width} px`, { skip }, async () => {
    for (const path of paths()) {
      const { page, context } = await own.open(path, { colorScheme: "light", viewport: { width, height: 800 }, reducedMotion: "reduce" });
      await (path === "/nothing" ? page.locator("h1").waitFor() : isLive(page));
      assert.deepEqual(await serious(page), [], path);
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(beyond <= 0, `${path} is ${beyond} px too wide`);
      // In dark, the same elements have other colors, and nothing else differs.
      const colorOf = () => page.evaluate(() => getComputedStyle(document.body).color);
      const light = await colorOf();
      await page.emulateMedia({ colorScheme: "dark" });
      assert.notEqual(await colorOf(), light);
      assert.deepEqual(await serious(page, { runOnly: ["color-contrast"] }), [], `${path} in dark`);
      await context.close();
    }
  });
}

test("nothing serious in the dialogs", { skip }, async () => {
  const open = [
    ["/pipelines", "Run Daily orders"], ["/pipelines", "Pause Daily orders"], [`/runs/${own.invoices.id}`, "Resume…"],
    [`/runs/${own.orders.id}`, "Rerun…"], ["/overview", "Search Ctrl K"],
    [`/backfills/${own.backfill}`, "Rerun…"],
    ["/connections", "Edit lake"], ["/connections", "Delete lake"], ["/variables", "Edit token"], ["/system", "Delete old runs…"],
  ];
  for (const [path, name] of open) {
    const { page, context } = await own.open(path);
    await page.getByRole("button", { name }).click();
    await page.getByRole("dialog").waitFor();
    assert.deepEqual(await serious(page), [], name);
    await context.close();
  }
});

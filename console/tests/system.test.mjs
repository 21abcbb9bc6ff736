// The system: the queue by lane, old runs, deliveries and the audit.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./modules.mjs";
import { skip, world } from "./world.mjs";

const own = world({}, async ({ server }) => {
  await server.call("POST", "pipelines", { id: "lasting", name: "Lasting", nodes: [{ id: "wait", type: "command", config: { command: ["sleep", "60"] } }] });
  await server.call("POST", "pipelines/lasting/backfill", { start_date: "2024-01-01", end_date: "2024-01-08" });
  await server.call("POST", "pipelines/quick/pause", { reason: "the source is being moved" });
  for (let count = 0; count < 2; count += 1) await server.call("POST", "pipelines/quick/run", { priority: "high" });
});

test("the queue says which lanes wait, and why", { skip }, async () => {
  const { page, faults } = await own.open("/system");
  const quick = page.getByRole("row", { name: /quick high 2/ });
  await quick.getByText("Waits because its pipeline or backfill is paused").waitFor();
  const lasting = page.getByRole("row", { name: /lasting backfill 7|lasting.*backfill.*7/ });
  await lasting.getByText("Waits because as many runs of its backfill execute as may").waitFor();
  await page.getByText("1 of 5").waitFor();
  await lasting.getByRole("link", { name: "backfill" }).click();
  await page.locator(".strip-cell.is-running").waitFor();
  await page.goBack();
  await own.server.call("POST", "pipelines/quick/unpause", {});
  await quick.waitFor({ state: "detached" });
  assert.deepEqual(faults, []);
});

test("old runs are deleted after a preview, once", { skip }, async () => {
  const { page, faults } = await own.open("/system");
  const bodies = [];
  await page.route("**/api/system/purge", async (route) => {
    const body = route.request().postDataJSON();
    bodies.push(body);
    await route.fulfill({ json: { deleted: body.days === 90 ? 3 : 0, days: body.days } });
  });
  await page.getByRole("button", { name: "Delete old runs…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("0 runs").waitFor();
  assert.ok(await dialog.getByRole("button", { name: "Delete them" }).isDisabled());
  await dialog.getByLabel("Finished at least").fill("90");
  await dialog.getByText("3 runs with their logs and outputs are deleted").waitFor();
  await dialog.getByLabel("Reason").fill("the disk is small");
  await dialog.getByRole("button", { name: "Delete them" }).dblclick();
  await dialog.getByText("3 runs were deleted.").waitFor();
  assert.deepEqual(bodies.filter((body) => body.preview !== true), [{ days: 90, reason: "the disk is small" }]);
  assert.deepEqual(faults, []);
});

test("a purge of the API itself counts and deletes nothing that is new", { skip }, async () => {
  const { page } = await own.open("/system");
  await page.getByRole("button", { name: "Delete old runs…" }).click();
  await page.getByRole("dialog").getByText("0 runs").waitFor();
});

test("dead letters are retried and dropped", { skip }, async () => {
  const { page, faults } = await own.open("/system?view=deliveries");
  await page.getByText("Every notifier has received every event.").waitFor();
  const letter = (seq, state) => ({ id: `slack.${seq}`, notifier: "slack", seq, state, type: "run.failed", run_id: own.orders.id, pipeline_id: "orders", tries: 10, at: own.orders.created_at, error: "the receiver answered 503" });
  let letters = [letter(7, "dead"), letter(8, "dead"), letter(9, "waiting")];
  const asked = [];
  await page.route("**/api/deliveries**", async (route) => {
    const [method, id] = [route.request().method(), new URL(route.request().url()).pathname.split("/")[3]];
    if (method === "GET") return route.fulfill({ json: { items: letters, has_next: false } });
    asked.push(`${method} ${id}`);
    letters = letters.filter((own) => own.id !== id);
    return method === "DELETE" ? route.fulfill({ status: 204 }) : route.fulfill({ json: { ...letter(7, "waiting") } });
  });
  await page.reload();
  await page.getByRole("row", { name: /slack.*waits.*the receiver answered 503/ }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Retry" }).count(), 2);
  await page.getByRole("button", { name: "Retry" }).first().click();
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 2);
  await page.getByRole("button", { name: "Drop…" }).click();
  await page.getByText("never receives the event run.failed").waitFor();
  await page.getByRole("button", { name: "Drop it" }).click();
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  assert.deepEqual(asked, ["POST slack.7", "DELETE slack.8"]);
  assert.deepEqual(faults, []);
});

test("the audit says who did what, and narrows to an action", { skip }, async () => {
  await own.server.call("POST", "pipelines/orders/pause", { reason: "for the <b>audit</b>" });
  const { page, faults } = await own.open("/system?view=audit");
  const row = page.getByRole("row", { name: /pipeline.pause pipeline:orders done for the <b>audit<\/b>/ });
  await row.waitFor();
  await row.getByRole("button", { name: "pipeline.pause" }).click();
  await page.waitForFunction(() => [...document.querySelectorAll("tbody tr")].every((one) => one.textContent.includes("pipeline.pause")));
  assert.match(page.url(), /action=pipeline.pause/);
  await page.getByLabel("subject").fill("pipeline:none");
  await page.keyboard.press("Enter");
  await page.getByText("No entry matches.").waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  await row.getByRole("link", { name: "pipeline:orders" }).click();
  await page.getByRole("heading", { name: "Daily orders" }).waitFor();
  assert.deepEqual(faults, []);
});

test("runs wait in lanes by priority, pipeline and backfill", async () => {
  const { lanesOf } = await load("pages/system/lanes.ts");
  const run = (id, pipeline_id, trigger, more = {}) => ({ id, pipeline_id, trigger, created_at: `2026-01-01T00:00:0${id}Z`, ...more });
  const lanes = lanesOf([run(3, "a", "backfill", { backfill_id: "x" }), run(2, "a", "manual"), run(1, "a", "manual"), run(4, "b", "schedule"), run(5, "a", "manual", { priority: "high" })]);
  assert.deepEqual(lanes.map(({ priority, oldest, runs }) => [priority, oldest.id, runs]), [["high", 5, 1], ["normal", 1, 2], ["schedule", 4, 1], ["backfill", 3, 1]]);
});

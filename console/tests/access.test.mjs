// Callers with keys: nobody without one, and only what the key allows.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { KEYS } from "./server.mjs";
import { isLive, skip, world } from "./world.mjs";

const own = world({ keys: true });

async function enter(page, key) {
  await page.getByLabel("Key of the API").fill(key);
  await page.getByRole("button", { name: "Use the key" }).click();
}

test("a caller without a key is asked for one, and nothing else is asked meanwhile", { skip }, async () => {
  const { page, faults, requests } = await own.open(`/runs/${own.orders.id}`);
  await page.getByLabel("Key of the API").waitFor();
  const before = requests.length;
  await page.waitForTimeout(2500);
  assert.equal(requests.length, before, "no loop");
  await enter(page, "wrong");
  await page.getByRole("heading", { name: "does not accept this key" }).waitFor();
  await enter(page, KEYS.operator);
  await page.locator(".node").first().waitFor();
  await isLive(page);
  await page.locator(".who", { hasText: "operator" }).waitFor();
  assert.ok(requests.every((url) => !url.includes(KEYS.operator)), "no key in an address");
  await page.reload();
  await page.locator(".node").first().waitFor();
  const [log] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
  assert.equal(log.suggestedFilename(), `run-${own.orders.id}-logs.txt`);
  assert.match(readFileSync(await log.path(), "utf8"), /loading/);
  assert.deepEqual(faults, []);
});

test("a viewer is offered no action, and the API refuses each", { skip }, async () => {
  const { page, faults } = await own.open("/overview");
  await enter(page, KEYS.viewer);
  await isLive(page);
  for (const path of ["pipelines", "pipelines/orders", "runs", `runs/${own.invoices.id}`]) {
    await page.goto(`${own.server.origin}/${path}`);
    await isLive(page);
    await page.locator("h1").first().waitFor();
    assert.equal(await page.getByRole("button", { name: /^(Run|Rerun|Resume|Cancel|Pause|Unpause)/ }).count(), 0, path);
    assert.equal(await page.getByRole("checkbox").count(), 0, path);
  }
  const refused = await page.evaluate(async (key) => {
    const response = await fetch("api/pipelines/orders/run", { method: "POST", headers: { authorization: `Bearer ${key}` } });
    return response.status;
  }, KEYS.viewer);
  assert.equal(refused, 403);
  assert.deepEqual(faults, []);
});

test("what an operator may not edit is not offered", { skip }, async () => {
  const { page } = await own.open("/pipelines/orders");
  await enter(page, KEYS.operator);
  await page.getByRole("button", { name: "Run…" }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Pause…" }).count(), 0);
});

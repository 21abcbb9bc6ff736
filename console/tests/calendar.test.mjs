// The calendar of a year: a day shows which part of its runs has failed, and leads to them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./modules.mjs";
import { finish } from "./server.mjs";
import { isLive, skip, world } from "./world.mjs";

const own = world({}, async ({ server }) => {
  for (let count = 0; count < 3; count += 1) await finish(server, "quick");
  await finish(server, "invoices");
});

const newestDay = async (query = "") => (await own.server.call("GET", `runs/calendar?days=2${query}`)).findLast((day) => day.total > 0);

test("a day shows its shares and leads to its runs, by mouse and by keyboard", { skip }, async () => {
  const day = await newestDay();
  const { page, faults } = await own.open("/calendar");
  const cell = page.locator(`[data-day="${day.date}"]`);
  await cell.waitFor();
  assert.equal(await page.locator("[data-day]").count(), 365);
  assert.equal(await cell.getAttribute("title"), `${day.date}: ${day.total} runs, ${day.success} succeeded, ${day.failed} failed`);
  const heights = await cell.locator("span").evaluateAll((all) => all.map((one) => [one.className, one.getBoundingClientRect().height]));
  const [good, bad] = ["is-success", "is-failed"].map((name) => heights.find(([own]) => own === name)[1]);
  assert.ok(Math.abs(bad / (good + bad) - day.failed / day.total) < 0.06, `${heights}`);
  await cell.click();
  await page.locator("tbody tr").first().waitFor();
  assert.equal(await page.locator("tbody tr").count(), day.total);
  await page.goBack();
  await cell.focus();
  await page.keyboard.press("ArrowLeft");
  const before = await page.evaluate(() => document.activeElement.dataset.day);
  assert.equal(Date.parse(day.date) - Date.parse(before), 24 * 3600 * 1000);
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Runs" }).waitFor();
  assert.match(page.url(), new RegExp(`from=${day.date}T00%3A00%3A00.000Z`));
  assert.deepEqual(faults, []);
});

test("the runs of a day are the same in every zone, and the fields show it in that of the browser", { skip }, async () => {
  const day = await newestDay();
  const { page } = await own.open("/calendar", { timezoneId: "Asia/Kolkata" });
  await page.locator(`[data-day="${day.date}"]`).click();
  await page.locator("tbody tr").first().waitFor();
  assert.equal(await page.locator("tbody tr").count(), day.total);
  assert.equal(await page.getByLabel("From").inputValue(), `${day.date}T05:30`);
});

test("the calendar is a table, too, of one pipeline alone, and changes while somebody looks", { skip }, async () => {
  const day = await newestDay("&pipeline_id=invoices");
  const { page, faults } = await own.open("/calendar");
  await page.getByLabel("Pipeline").fill("invoices");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Table" }).click();
  const row = page.getByRole("row", { name: new RegExp(day.date) });
  assert.deepEqual(await row.getByRole("cell").allTextContents(), [day.date, String(day.total), "0", String(day.failed), "0", "0"]);
  await isLive(page);
  await finish(own.server, "invoices");
  await page.waitForFunction((total) => document.querySelector("tbody tr td:nth-child(2)").textContent === String(total), day.total + 1);
  await page.goto(`${own.server.origin}/pipelines/quick?view=calendar`);
  await page.getByText("3 runs in 365 days: 100 % succeeded, no day with a failure").waitFor();
  await page.goto(`${own.server.origin}/pipelines/backup?view=calendar`);
  await page.getByText("No run was created in the last 365 days.").waitFor();
  await page.goto(`${own.server.origin}/calendar?pipeline_id=%3Cb%3Enone`);
  await page.getByRole("alert").waitFor();
  assert.deepEqual(faults, []);
});

test("a failure among many runs is still seen, and the shares fill the cell", async () => {
  const { shares, dayWords, yearWords } = await load("pages/calendar/day.ts");
  const day = (success, failed, cancelled = 0) => ({ date: "2026-01-02", total: success + failed + cancelled, success, failed, cancelled, running: 0, pending: 0 });
  for (const own of [day(999, 1), day(0, 3), day(4, 0), day(1, 1, 2), day(0, 0, 5)]) {
    const { success, failed, other } = shares(own);
    assert.ok(Math.abs(success + failed + other - 100) < 1e-9);
    assert.equal(failed >= 18, own.failed > 0);
    assert.equal(failed === 0, own.failed === 0);
  }
  assert.deepEqual(shares(day(0, 0)), { success: 0, failed: 0, other: 0 });
  assert.equal(dayWords(day(1, 2, 1)), "2026-01-02: 4 runs, 1 succeeded, 2 failed, 1 cancelled");
  assert.equal(yearWords([day(999, 1), day(1, 0)]), "1,001 runs in 2 days: 99.9 % succeeded, 1 day with a failure");
});

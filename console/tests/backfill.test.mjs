// Backfills: days are chosen by mouse and by keyboard, exactly the previewed ones run, and their
// page shows how far they are.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { HOSTILE, KEYS } from "./server.mjs";
import { isLive, skip, world } from "./world.mjs";

const shell = (script) => ({ type: "command", config: { command: ["sh", "-c", script] } });
const node = (id, script) => ({ id, name: id, ...shell(script) });

const own = world({}, async ({ server }) => {
  const flag = join(server.folder, "third-day-works");
  own.repair = () => writeFileSync(flag, "");
  const fails = `test "\${run.date}" != 2024-03-03 || test -e ${flag} || { echo 'no file of this day' >&2; exit 3; }`;
  await server.call("POST", "pipelines", { id: "loads", name: "Loads", nodes: [node("load", "true")], schedule_timezone: "UTC" });
  await server.call("POST", "pipelines", { id: "gaps", name: "Gaps", nodes: [node("load", fails)] });
  await server.call("POST", "pipelines", { id: "lasting", name: "Lasting", nodes: [node("wait", "sleep 60")] });
});

const DAY_MS = 24 * 3600 * 1000;
const day = (time) => new Date(time).toISOString().slice(0, 10);

/** The days of last week, from Monday to Sunday, in UTC. */
function lastWeek() {
  const today = Date.parse(day(Date.now()));
  const monday = today - ((new Date(today).getUTCDay() + 6) % 7) * DAY_MS;
  return Array.from({ length: 7 }, (_, at) => day(monday + (at - 7) * DAY_MS));
}

const previewed = (page) => page.locator("[data-date]").evaluateAll((all) => all.map((one) => one.dataset.date));
const backfillsOf = async (id) => own.server.call("GET", `pipelines/${id}/backfills`);
async function datesOf(backfill) {
  const runs = await Promise.all(backfill.run_ids.map((id) => own.server.call("GET", `runs/${id}`)));
  return runs.map((run) => run.params.date).sort();
}

test("backfill last week by mouse: exactly the previewed days run, and a double click makes one", { skip }, async () => {
  const week = lastWeek();
  await own.server.call("POST", "pipelines/loads/backfill", { dates: [week[2]] });
  await own.server.call("GET", `runs/${(await backfillsOf("loads"))[0].run_ids[0]}?wait=30`);
  const { page, faults } = await own.open("/pipelines/loads?view=backfill");
  const first = page.locator(`[data-day="${week[0]}"]`);
  await first.hover();
  await page.mouse.down();
  await page.locator(`[data-day="${week[3]}"]`).hover();
  await page.locator(`[data-day="${week[6]}"]`).hover();
  await page.mouse.up();
  const expected = week.filter((_, at) => at !== 2);
  await page.getByText("1 other has succeeded and is skipped").waitFor();
  assert.deepEqual(await previewed(page), expected);
  assert.equal(await page.locator('[aria-selected="true"]').count(), 7);
  await page.getByLabel("At once").fill("3");
  await page.getByLabel("Stop after failures").fill("2");
  await page.getByText("up to 3 at once, the oldest first").waitFor();
  await page.getByRole("button", { name: "Create 6 runs" }).dblclick();
  await page.locator(".strip-cell").first().waitFor();
  await page.locator("h1 .status.is-success").waitFor();
  await page.locator(".progress", { hasText: "6 of 6 done" }).waitFor();
  const all = await backfillsOf("loads");
  assert.equal(all.length, 2, "a double click makes one backfill");
  assert.deepEqual(await datesOf(all[0]), expected);
  assert.deepEqual([all[0].max_parallel, all[0].max_failures], [3, 2]);
  assert.deepEqual(faults, []);
});

test("backfill last week by keyboard alone", { skip }, async () => {
  const week = lastWeek();
  const { page, faults } = await own.open("/pipelines/quick");
  const tab = async (until) => {
    for (let tries = 0; tries < 80; tries += 1) {
      await page.keyboard.press("Tab");
      if (await page.evaluate(until)) return;
    }
    assert.fail(`no way to ${until}`);
  };
  await page.locator("h1", { hasText: "Quick" }).waitFor();
  await tab('document.activeElement.textContent === "Backfill"');
  await page.keyboard.press("Enter");
  await tab('document.activeElement.matches("[data-day]")');
  // From today to Monday, then to the Monday before it.
  for (const key of ["Home", "ArrowUp"]) await page.keyboard.press(key);
  const isAt = (day) => page.waitForFunction((expected) => document.activeElement.dataset.day === expected, day);
  await isAt(week[0]);
  await page.keyboard.press("Shift+End");
  await isAt(week[6]);
  await page.waitForFunction(() => document.querySelectorAll("[data-date]").length === 7);
  assert.deepEqual(await previewed(page), week);
  await tab('document.activeElement.textContent === "Create 7 runs"');
  await page.keyboard.press("Enter");
  await page.locator("h1 .status.is-success").waitFor();
  const [made, ...others] = await backfillsOf("quick");
  assert.deepEqual(others, []);
  assert.deepEqual(await datesOf(made), week);
  // The cells of the strip are rows for the keys.
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.locator(".facts", { hasText: "Backfill" }).waitFor();
  assert.match(await page.locator(".pairs", { hasText: "Parameters" }).textContent(), new RegExp(week[1]));
  assert.deepEqual(faults, []);
});

test("the days can be typed, and the first and the last can be clicked", { skip }, async () => {
  const { page, faults } = await own.open("/pipelines/loads?view=backfill");
  await page.getByLabel("From", { exact: true }).fill("2024-02-27");
  await page.getByLabel("To", { exact: true }).fill("2024-03-02");
  await page.waitForFunction(() => document.querySelectorAll("[data-date]").length === 5);
  assert.deepEqual(await previewed(page), ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02"]);
  await page.locator('[data-day="2024-03-04"]').click();
  await page.locator('[data-day="2024-03-17"]').click();
  await page.getByLabel("A run for").selectOption("week");
  await page.waitForFunction(() => document.querySelectorAll("[data-instant]").length === 2);
  assert.match(page.url(), /from=2024-03-04&to=2024-03-17/);
  await page.reload();
  await page.waitForFunction(() => document.querySelectorAll("[data-date]").length === 14);
  assert.deepEqual(faults, []);
});

test("see which day has failed, repair it, and run the failures again", { skip }, async () => {
  await own.server.call("POST", "pipelines/gaps/backfill", { start_date: "2024-03-01", end_date: "2024-03-04", max_parallel: 4 });
  const { page, faults } = await own.open("/backfills");
  await page.getByRole("row", { name: /2024-03-01 to 2024-03-04/ }).getByText("1 failed").waitFor();
  await page.getByRole("link", { name: "2024-03-01 to 2024-03-04" }).click();
  await page.locator("h1 .status.is-failed").waitFor();
  await page.getByRole("link", { name: "3 March 2024: failed" }).waitFor();
  await page.getByRole("button", { name: "Table" }).click();
  await page.getByRole("row", { name: /2024-03-03.*Failed/ }).waitFor();
  own.repair();
  await page.getByRole("button", { name: "Rerun failures…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.locator('[data-date="2024-03-03"]').waitFor();
  assert.equal(await dialog.locator("[data-date]").count(), 1);
  await dialog.getByRole("button", { name: "Run them again" }).dblclick();
  await page.locator("h1 .status.is-success").waitFor();
  await page.locator(".facts", { hasText: "Repeats" }).waitFor();
  assert.equal((await backfillsOf("gaps")).length, 2);
  assert.deepEqual(faults, []);
});

test("a backfill that ends while its page loads is shown as it has ended", { skip }, async () => {
  const gate = join(own.server.folder, "gate");
  await own.server.call("POST", "pipelines", { id: "brief", name: "Brief", nodes: [node("wait", `until [ -e "${gate}" ]; do sleep 0.05; done`)] });
  await own.server.call("POST", "pipelines/brief/backfill", { start_date: "2024-01-01", end_date: "2024-01-02", max_parallel: 2 });
  const [made] = await backfillsOf("brief");
  const { page, faults } = await own.open("/overview");
  let isFirst = true;
  await page.route(/api\/backfills\/[^/]+$/, async (route) => {
    const answer = await route.fetch();
    if (isFirst) {
      isFirst = false;
      assert.equal((await answer.json()).status, "running");
      writeFileSync(gate, "");
      for (const id of made.run_ids) await own.server.call("GET", `runs/${id}?wait=30`);
      await page.waitForTimeout(1000);
    }
    await route.fulfill({ response: answer });
  });
  // Not by an address: what loads the page anew has missed nothing.
  await page.evaluate((path) => history.pushState(null, "", path), `/backfills/${made.id}`);
  await page.evaluate(() => dispatchEvent(new PopStateEvent("popstate")));
  await page.locator("h1 .status.is-success").waitFor();
  assert.deepEqual(faults, []);
});

test("a backfill under way is paused, goes on, and is cancelled by force", { skip }, async () => {
  await own.server.call("POST", "pipelines/lasting/backfill", { start_date: "2024-01-01", end_date: "2024-01-03" });
  const [made] = await backfillsOf("lasting");
  const { page, faults } = await own.open(`/backfills/${made.id}`);
  await page.locator(".strip-cell.is-running").waitFor();
  assert.equal(await page.locator(".strip-cell.is-pending").count(), 2);
  await page.getByRole("button", { name: "Pause…" }).click();
  await page.getByLabel("Reason").fill("the source is slow");
  await page.getByRole("dialog").getByRole("button", { name: "Pause", exact: true }).click();
  await page.getByText("The backfill is paused: the source is slow.").waitFor();
  await page.locator("h1 .status.is-paused").waitFor();
  assert.equal((await own.server.call("GET", `backfills/${made.id}`)).status, "paused");
  await page.getByRole("button", { name: "Unpause…" }).click();
  await page.getByRole("dialog").getByText("the source is slow").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Unpause", exact: true }).click();
  await page.locator("h1 .status.is-running").waitFor();
  await page.getByRole("button", { name: "Cancel…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("2 runs that wait will not start.").waitFor();
  await dialog.getByLabel("By force").check();
  await dialog.getByRole("button", { name: "Cancel by force" }).click();
  await page.locator("h1 .status.is-cancelled").waitFor();
  await page.waitForFunction(() => document.querySelectorAll(".strip-cell.is-cancelled").length === 3);
  assert.deepEqual(faults, []);
});

test("a list without backfills says what to do, and hostile names stay text", { skip }, async () => {
  const { page, faults } = await own.open("/backfills?pipeline_id=hostile");
  await page.getByRole("link", { name: "Choose its days" }).click();
  await page.getByLabel("From", { exact: true }).fill("2024-01-01");
  await page.getByLabel("To", { exact: true }).fill("2024-01-01");
  await page.getByRole("button", { name: "Create 1 run" }).click();
  await page.locator(".strip-cell").waitFor();
  await page.goto(`${own.server.origin}/backfills?pipeline_id=${encodeURIComponent(HOSTILE)}`);
  await page.getByRole("alert").waitFor();
  assert.equal(await page.locator("img, b, #app script").count(), 0);
  await page.goto(`${own.server.origin}/backfills/019a0000-0000-7000-8000-000000000000`);
  await page.getByRole("alert").waitFor();
  assert.deepEqual(faults, []);
});

const guarded = world({ keys: true }, async ({ server }) => {
  await server.call("POST", "pipelines/quick/backfill", { start_date: "2024-01-01", end_date: "2024-01-02" });
});

test("a viewer is offered no action", { skip }, async () => {
  const [made] = await guarded.server.call("GET", "pipelines/quick/backfills");
  const { page, faults } = await guarded.open(`/backfills/${made.id}`);
  await page.getByLabel("Key of the API").fill(KEYS.viewer);
  await page.getByRole("button", { name: "Use the key" }).click();
  await page.locator(".strip-cell").first().waitFor();
  await isLive(page);
  assert.equal(await page.getByRole("button", { name: /^(Rerun|Cancel|Pause|Create)/ }).count(), 0);
  await page.goto(`${guarded.server.origin}/pipelines/quick?view=backfill`);
  await page.getByText("You may not start runs of this pipeline.").waitFor();
  assert.equal(await page.getByRole("button", { name: /^Create/ }).count(), 0);
  assert.deepEqual(faults, []);
});

// Schedules on a ruler: when they fire, and where they come together.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./modules.mjs";
import { skip, world } from "./world.mjs";

const own = world({}, async ({ server }) => {
  const nodes = [{ id: "a", type: "command", config: { command: ["true"] } }];
  const add = (id, schedule, more = {}) => server.call("POST", "pipelines", { id, name: `At ${id}`, schedule, nodes, ...more });
  await add("hourly", "0 * * * *");
  await add("half", "*/30 * * * *", { schedule_timezone: "Asia/Kolkata" });
  await add("off", "@daily", { enabled: false });
  await server.call("POST", "pipelines/hourly/run?wait=30", {});
});

test("a lane has the fire times of a day, and those of several schedules are marked", { skip }, async () => {
  const { page, faults } = await own.open("/schedules?q=At");
  const lane = (name) => page.locator(".lane", { hasText: name });
  await lane("At half").locator(".tick").first().waitFor();
  assert.equal(await lane("At off").count(), 0);
  const hourly = await lane("At hourly").locator(".tick").evaluateAll((all) => all.map((one) => one.className));
  assert.ok(hourly.length >= 24 && hourly.length <= 25 && hourly.every((name) => name.includes("is-together")), `${hourly.length}`);
  const half = await lane("At half").locator(".tick").count();
  assert.ok(half >= 48 && half <= 50, `${half}`);
  // How long the runs take is known a moment later.
  await lane("At hourly").locator('.tick[title*=":00, 2 schedules at once, takes about"]').first().waitFor();
  await page.getByRole("button", { name: "Table" }).click();
  await page.getByRole("row", { name: /At off.*off/ }).waitFor();
  await page.getByRole("row", { name: /At hourly.*at minute 0.*in UTC/ }).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.getByText("The schedule is off.").or(page.getByText("Next runs in")).first().waitFor();
  assert.deepEqual(faults, []);
});

test("fire times follow the clock of their zone", async () => {
  const { fireTimes } = await load("pages/schedules/cron.ts");
  const at = (text) => Date.parse(text);
  const times = (cron, zone, from, hours = 24) => fireTimes(cron, zone, at(from), at(from) + hours * 3_600_000).map((time) => new Date(time).toISOString().slice(0, 16));
  assert.deepEqual(times("0 6 * * *", "Europe/Vienna", "2026-01-10T00:00:00Z"), ["2026-01-10T05:00"]);
  assert.deepEqual(times("30 0 * * *", "Asia/Kolkata", "2026-01-10T00:00:00Z"), ["2026-01-10T19:00"]);
  assert.deepEqual(times("0 12 * * sat,sun", "UTC", "2026-01-09T00:00:00Z", 72), ["2026-01-10T12:00", "2026-01-11T12:00"]);
  assert.deepEqual(times("0 0 1 * 5", "UTC", "2026-01-01T00:00:00Z", 72), ["2026-01-01T00:00", "2026-01-02T00:00"]);
  assert.deepEqual(times("0 0 * * fri-sun", "UTC", "2026-01-08T00:00:00Z", 120), ["2026-01-09T00:00", "2026-01-10T00:00", "2026-01-11T00:00"]);
  assert.equal(times("*/15 8-9 * * *", "Australia/Lord_Howe", "2026-01-10T00:00:00Z").length, 8);
  // Clocks go back by half an hour there.
  assert.equal(times("*/30 * * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z").length, 48);
  assert.deepEqual(times("@hourly", "UTC", "2026-01-10T00:00:01Z", 2), ["2026-01-10T01:00", "2026-01-10T02:00"]);
  assert.deepEqual(times("0 0 0 * * *", "UTC", "2026-01-10T00:00:00Z"), []);
});

test("times come together, and a long run overtakes the next time", async () => {
  const { middle, overtaken, timesOf, together } = await load("pages/schedules/ruler_times.ts");
  assert.deepEqual([...together([[1, 2, 3], [2, 2], [3, 2]])], [[2, 3], [3, 2]]);
  assert.deepEqual([...overtaken([0, 10, 30], 15)], [10]);
  assert.deepEqual([...overtaken([0, 10], undefined)], []);
  assert.equal(middle([5, 1, 9]), 5);
  assert.equal(middle([]), undefined);
  const at = (hour) => `2026-01-10T${hour}:00:00Z`;
  const schedule = { schedule: "0 * * * *", timezone: "UTC", next_runs: ["01", "02", "03", "04", "05"].map(at) };
  assert.equal(timesOf(schedule, Date.parse(at("00")), Date.parse(at("20"))).length, 19);
  assert.equal(timesOf({ ...schedule, timezone: "Mars/Base" }, Date.parse(at("00")), Date.parse(at("20"))).length, 5);
});

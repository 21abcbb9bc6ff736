// A dry run with its rows side by side, and two runs beside one another.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { load } from "./modules.mjs";
import { KEYS } from "./server.mjs";
import { isLive, skip, world } from "./world.mjs";

const shell = (id, script, more = {}) => ({ id, name: id, type: "command", config: { command: ["sh", "-c", script], ...more } });
const edge = (from, to) => ({ from, to });

const seeded = async (made) => {
  const { server } = made;
  const more = join(server.folder, "more-rows");
  await server.call("POST", "pipelines", {
    id: "grows", name: "Grows", param_defs: [{ name: "size", type: "integer", min: 1, max: 9, default: 1 }],
    nodes: [
      shell("read", "echo '{\"id\":9007199254740993,\"name\":\"<b>Ann</b>\"}'; echo '{\"id\":2,\"name\":null}'"),
      shell("join", `cat; test -e ${more} && echo '{"id":3,"name":"Cid"}'; true`), shell("load", "cat > /dev/null", { effect: "sink" }),
    ],
    edges: [edge("read", "join"), edge("join", "load")],
  });
  made.before = await server.call("POST", "pipelines/grows/run?wait=30", { params: { size: "1" }, labels: { team: "data" } });
  writeFileSync(more, "");
  made.after = await server.call("POST", "pipelines/grows/run?wait=30", { params: { size: "2" }, labels: { team: "data" } });
};
const own = world({}, seeded);

test("a dry run shows the rows of each node side by side, and stores nothing", { skip }, async () => {
  const { page, faults } = await own.open("/pipelines/grows?view=dry-run");
  await page.getByLabel("size").fill("40");
  await page.getByRole("button", { name: "Try it on ten rows" }).click();
  await page.locator(".field .error-text").waitFor();
  await page.getByLabel("size").fill("4");
  await page.getByRole("button", { name: "Try it on ten rows" }).click();
  const names = page.locator(".dry-node h2");
  await names.nth(2).waitFor();
  assert.deepEqual(await names.allTextContents(), ["read", "join", "load"]);
  const places = await page.locator(".dry-node").evaluateAll((all) => all.map((one) => one.getBoundingClientRect().top));
  assert.ok(places.every((top) => top === places[0]), "they stand side by side");
  await page.getByRole("region", { name: "Rows of read" }).getByRole("cell", { name: "9007199254740993" }).waitFor();
  await page.getByRole("region", { name: "Rows of load" }).getByRole("cell", { name: "Cid" }).waitFor();
  await page.locator(".dry-node.is-skipped", { hasText: "load" }).waitFor();
  assert.equal(await page.locator("b, img").count(), 0);
  const runs = await own.server.call("GET", "pipelines/grows/runs");
  assert.equal(runs.length, 2);
  assert.deepEqual(faults, []);
});

test("the first node that differs is found, by keyboard alone", { skip }, async () => {
  const { page, faults } = await own.open(`/runs/${own.after.id}`);
  const link = page.getByRole("link", { name: "Compare with the run before" });
  await link.focus();
  await page.keyboard.press("Enter");
  await page.getByText("The first node that differs is join: 2 rows before, 3 rows after.").waitFor();
  const param = page.getByRole("row", { name: /params.size/ });
  assert.deepEqual(await param.getByRole("cell").allTextContents(), ["1", "2"]);
  await page.getByRole("row", { name: /join.*2 rows before.*\+50 %/ }).waitFor();
  const columns = page.getByRole("region", { name: "Columns of join" });
  await columns.getByRole("row", { name: /name/ }).locator("strong", { hasText: "33.3 %" }).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Output of read" }).waitFor();
  assert.deepEqual(faults, []);
});

test("another run can be chosen, and the first one has none before it", { skip }, async () => {
  const { page, faults } = await own.open(`/runs/${own.before.id}/compare`);
  await page.getByText("The pipeline has no run before this one.").waitFor();
  await page.getByLabel("With").selectOption(own.after.id);
  await page.getByText("The first node that differs is join: 3 rows before, 2 rows after.").waitFor();
  assert.ok(page.url().endsWith(`/runs/${own.before.id}/compare/${own.after.id}`));
  await page.reload();
  await isLive(page);
  await page.goto(`${own.server.origin}/runs/${own.before.id}/compare/019a0000-0000-7000-8000-000000000000`);
  await page.getByRole("alert").waitFor();
  assert.deepEqual(faults, []);
});

test("what is new, gone or otherwise different is said of each node", async () => {
  const { changeOf, nodePairs, pairs } = await load("pages/compare/differences.ts");
  const run = (...nodes) => ({ node_runs: nodes.map(([node_id, status, row_count]) => ({ node_id, status, row_count })) });
  const made = nodePairs(run(["a", "success", 1], ["b", "success", 2], ["old", "success", 1]), run(["a", "success", 1], ["b", "failed"], ["new", "success", 1]));
  assert.deepEqual(made.map(({ id, why }) => [id, why]), [["a", undefined], ["b", "success before, failed after"], ["new", "it is new"], ["old", "it is gone"]]);
  assert.deepEqual(pairs({ a: "1", b: "2" }, { a: "1", b: "3" }).map(({ name }) => name), ["b", "a"]);
  assert.deepEqual([changeOf(10, 15), changeOf(10, 5), changeOf(10, 10), changeOf(0, 4), changeOf(undefined, 4)], ["+50 %", "−50 %", "", "+", ""]);
});

const guarded = world({ keys: true }, seeded);

test("a viewer compares, and tries nothing", { skip }, async () => {
  const { page, faults } = await guarded.open(`/runs/${guarded.after.id}/compare`);
  await page.getByLabel("Key of the API").fill(KEYS.viewer);
  await page.getByRole("button", { name: "Use the key" }).click();
  await page.getByText("The first node that differs is").waitFor();
  await page.goto(`${guarded.server.origin}/pipelines/grows?view=dry-run`);
  await page.getByText("You may not start runs of this pipeline.").waitFor();
  assert.equal(await page.getByRole("button", { name: /^Try/ }).count(), 0);
  assert.deepEqual(faults, []);
});

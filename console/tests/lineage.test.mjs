// The lineage: what pipelines read and write, above and below a chosen thing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./modules.mjs";
import { HOSTILE } from "./server.mjs";
import { isLive, skip, world } from "./world.mjs";

const file = (id, type, path) => ({ id, name: id, type, config: { path } });

const own = world({}, async ({ server }) => {
  const copies = [["import", "raw.csv", "clean.csv"], ["enrich", "clean.csv", "rich.csv"], ["report", "rich.csv", "report.csv"], ["other", "apart.csv", "alone.csv"]];
  for (const [id, from, to] of copies) {
    await server.call("POST", "pipelines", {
      id, name: `The ${id}`, nodes: [file("read", "source_file", from), file("write", "sink_file", to)], edges: [{ from: "read", to: "write" }],
    });
  }
  await server.call("POST", "pipelines", { id: "odd", name: HOSTILE.slice(0, 60).replace("\u202E", ""), nodes: [file("read", "source_file", "<b>raw</b>.csv")] });
});

const shown = (page, name) => page.locator(".node", { hasText: name });

test("what is above and below a pipeline stands out, and the rest is dim", { skip }, async () => {
  const { page, faults } = await own.open("/lineage");
  await shown(page, "The enrich").click();
  const panel = page.locator(".panel");
  await panel.getByText("Comes from 3 things").waitFor();
  await panel.getByText("Leads to 3 things").waitFor();
  const dim = await page.locator(".node.is-dim title").allTextContents();
  assert.ok(dim.some((name) => name.startsWith("The other")) && dim.every((name) => !/clean|rich|raw\.csv|report|import/.test(name) || name.startsWith("<b>")), `${dim}`);
  assert.equal(await page.locator(".edge.is-chosen").count(), 6);
  await panel.getByRole("button", { name: "clean.csv" }).click();
  await panel.getByText("Leads to 4 things").waitFor();
  await page.goBack();
  await panel.getByRole("heading", { name: "The enrich" }).waitFor();
  await panel.getByRole("link", { name: "To the pipeline" }).click();
  await page.getByRole("heading", { name: "The enrich" }).waitFor();
  assert.deepEqual(faults, []);
});

test("a search finds by keyboard alone, and the table has the same", { skip }, async () => {
  const { page, faults } = await own.open("/lineage");
  await page.locator(".node").first().waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("report.csv");
  await page.getByText("1 hit").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator(".panel").getByRole("heading", { name: "report.csv" }).waitFor();
  await page.locator(".node.is-selected", { hasText: "report.csv" }).waitFor();
  await page.getByRole("button", { name: "Table" }).click();
  const cells = page.getByRole("row", { name: /report.csv/ }).getByRole("cell");
  assert.deepEqual(await cells.allTextContents(), ["report.csv", "file", "The report", "–"]);
  await page.getByRole("searchbox").fill("");
  await page.keyboard.press("Escape");
  assert.ok((await page.locator("tbody tr").count()) > 10);
  assert.equal(await page.locator("img, b, #app script").count(), 0);
  assert.deepEqual(faults, []);
});

test("the page of a pipeline shows what is around it, also node by node", { skip }, async () => {
  const { page, faults } = await own.open("/pipelines/report?view=lineage");
  await isLive(page);
  await shown(page, "The import").waitFor();
  assert.equal(await page.locator(".node").count(), 7);
  assert.equal(await shown(page, "The other").count(), 0);
  await page.getByLabel("With nodes and variables").check();
  await shown(page, "processing").first().waitFor();
  assert.equal(await shown(page, "The other").count(), 0);
  assert.deepEqual(faults, []);
});

test("what a node reaches ends in a circle, and is without the node itself", async () => {
  const { neighborsOf, reach, withoutNodes } = await load("pages/lineage/graph.ts");
  const edge = (from, to) => ({ from, to, pipeline_id: "p", pipeline: "P" });
  const { down, up } = neighborsOf([edge("a", "b"), edge("b", "c"), edge("c", "a"), edge("c", "d"), edge("c", "d")]);
  assert.deepEqual([...reach("a", down)].sort(), ["b", "c", "d"]);
  assert.deepEqual([...reach("d", up)].sort(), ["a", "b", "c"]);
  const node = (id, type, pipeline_id) => ({ id, type, name: id, pipeline_id });
  const nodes = [node("pipeline:p", "pipeline", "p"), node("processing:p/r", "processing", "p"), node("file:x", "file"), node("variable:k", "variable")];
  const made = withoutNodes({ nodes, edges: [edge("file:x", "processing:p/r"), edge("pipeline:p", "processing:p/r"), edge("variable:k", "processing:p/r")] });
  assert.deepEqual(made, { nodes: [nodes[0], nodes[2]], edges: [{ from: "file:x", to: "pipeline:p" }] });
});

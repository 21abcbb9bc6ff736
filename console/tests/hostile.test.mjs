// Text of anybody is shown as text: names, descriptions, tags, logs, data.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HOSTILE } from "./server.mjs";
import { isLive, skip, world } from "./world.mjs";

const own = world();

test("markup is text in every view", { skip }, async () => {
  const run = await own.server.call("POST", "pipelines/hostile/run?wait=30", { note: HOSTILE.replace("\u202E", ""), labels: { "<i>l</i>": "<b>v</b>" } });
  const paths = ["/overview", "/pipelines", "/pipelines/hostile", "/pipelines/hostile?view=graph", "/pipelines/hostile?view=definition",
    "/runs", `/runs/${run.id}`, `/runs/${run.id}?view=timeline`, `/runs/${run.id}?node=a&panel=log`, "/runs?label=%3Cscript%3Ealert(1)%3C/script%3E:x", "/lineage?q=%3Cimg", "/lineage?as=table&nodes=1", "/pipelines/hostile?view=lineage", "/pipelines?q=%3Cimg%20src=x%3E&tag=%3Cb%3E"];
  for (const path of paths) {
    const { page, faults, context } = await own.open(path);
    page.on("dialog", (dialog) => faults.push(`dialog: ${dialog.message()}`));
    await isLive(page);
    assert.equal(await page.locator("img, iframe, b, i, #app script").count(), 0, path);
    assert.deepEqual(faults, [], path);
    await context.close();
  }
});

test("a log shows no control characters, and none that turn the line around", { skip }, async () => {
  const { page } = await own.open(`/runs/${own.hostile.id}?node=a&panel=log`);
  const line = page.locator(".message", { hasText: "red" });
  assert.equal(await line.textContent(), "red <script>alert(1)</script> \uFFFDevil");
});

test("a long text breaks no view", { skip }, async () => {
  const long = "x".repeat(2000);
  const run = await own.server.call("POST", "pipelines/quick/run?wait=30", { note: long, labels: { ["k".repeat(128)]: "v".repeat(128) } });
  for (const path of [`/runs/${run.id}`, "/runs", "/pipelines/quick"]) {
    const { page, context } = await own.open(path, { viewport: { width: 360, height: 740 } });
    await isLive(page);
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(beyond <= 0, `${path} is ${beyond} px too wide`);
    await context.close();
  }
});

// How often a tab reads because something has happened, without a browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./modules.mjs";

const settled = () => new Promise(setImmediate);

test("a quiet tab reads at once, a busy one twice a second, each in its turn", async (t) => {
  let now = 10_000;
  t.mock.method(performance, "now", () => now);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { enter } = await load("live/gate.ts");
  const read = [];
  for (const name of "abcdefg") enter(() => read.push(name));
  const leave = enter(() => read.push("left"));
  enter(() => read.push("h"));
  leave();
  assert.deepEqual(read, [], "never at once");
  await settled();
  assert.equal(read.join(""), "abcd");
  for (const expected of ["abcde", "abcdef", "abcdefg", "abcdefgh", "abcdefgh"]) {
    now += 500;
    t.mock.timers.tick(500);
    await settled();
    assert.equal(read.join(""), expected);
  }
  now += 60_000;
  for (const name of "ijklm") enter(() => read.push(name));
  await settled();
  assert.equal(read.join(""), "abcdefghijkl", "as many at once as at first");
});

// The layout of graphs: right for every one, and fast for the largest.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { load } from "./modules.mjs";

const MS_MAX = 300;
let layout;
before(async () => ({ layout } = await load("graph/layout.ts")));

const chain = (count) => Array.from({ length: count - 1 }, (_, at) => [at, at + 1]);
const fan = (count) => Array.from({ length: count - 1 }, (_, at) => [0, at + 1]);

/** Layers of nodes, each joined with some of the next layer. */
function layers(columns, rows, each) {
  const edges = [];
  for (let node = 0; node < (columns - 1) * rows; node += 1) {
    const next = (Math.floor(node / rows) + 1) * rows;
    for (let edge = 0; edge < each; edge += 1) edges.push([node, next + ((node * 7 + edge * 13) % rows)]);
  }
  return edges;
}

/** The most edges that are allowed, always from a smaller to a larger number. */
function dense(count, edges) {
  const made = new Map();
  for (let seed = 1; made.size < edges; seed = (seed * 48271) % 2147483647) {
    const [one, other] = [seed % count, Math.floor(seed / count) % count];
    if (one !== other) made.set(`${one} ${other}`, [Math.min(one, other), Math.max(one, other)]);
  }
  return [...made.values()];
}

const GRAPHS = {
  "a chain of 1,000": [1000, chain(1000)],
  "a fan of 1,000": [1000, fan(1000)],
  "25 columns of 40": [1000, layers(25, 40, 3)],
  "1,000 nodes with 20,000 edges": [1000, dense(1000, 20_000)],
};

for (const [name, [count, edges]] of Object.entries(GRAPHS)) {
  test(`${name} is laid out in time, forward and without overlap`, () => {
    layout({ count, edges: edges.slice(0, 10) });
    const from = performance.now();
    const made = layout({ count, edges });
    const ms = performance.now() - from;
    console.log(`layout of ${name}: ${ms.toFixed(0)} ms`);
    assert.ok(ms <= MS_MAX, `${ms} ms`);
    for (const [one, other] of edges) assert.ok(made.x[one] < made.x[other]);
    const columns = new Map();
    for (let node = 0; node < count; node += 1) columns.set(made.x[node], [...(columns.get(made.x[node]) ?? []), made.y[node]]);
    for (const rows of columns.values()) {
      rows.sort((one, other) => one - other);
      rows.forEach((row, at) => at === 0 || assert.ok(row - rows[at - 1] > 0.99, `${rows[at - 1]} and ${row}`));
    }
  });
}

test("a tree has no crossing", () => {
  const made = layout({ count: 7, edges: [[0, 2], [0, 1], [2, 6], [1, 3], [2, 5], [1, 4]] });
  const order = (...nodes) => nodes.map((node) => made.y[node]);
  const [one, two, three, four, five, six] = order(1, 2, 3, 4, 5, 6);
  assert.equal(one < two, Math.max(three, four) < Math.min(five, six));
});

test("a graph of one node, and of none, has a place", () => {
  assert.deepEqual([...layout({ count: 1, edges: [] }).y], [0]);
  assert.equal(layout({ count: 0, edges: [] }).x.length, 0);
});

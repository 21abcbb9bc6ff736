// Figures of the page, printed beside their limits. A busy machine is slow, so that a time fails a
// test only where `FLORET_FIGURES` says that the machine is quiet and the server a release build.
import assert from "node:assert/strict";

const isMeasured = process.env.FLORET_FIGURES !== undefined;

/** Why a test that takes a minute or more is left out where nobody measures. */
export const isLeftOut = isMeasured ? false : "it takes a minute: FLORET_FIGURES=1 asks for it";

/** Prints a time, and its limit in milliseconds. */
export function time(what, ms, most) {
  console.log(`${what}: ${Math.round(ms)} ms, at most ${most} ms on a quiet machine`);
  if (isMeasured) assert.ok(ms <= most, `${what}: ${ms} ms`);
}

/** Prints a count, and fails above its limit on every machine. */
export function count(what, number, most) {
  console.log(`${what}: ${number}, at most ${most}`);
  assert.ok(number <= most, `${what}: ${number}`);
}

/** Prints the heap of a page after a collection, and fails above its limit on every machine. */
export async function heap(what, page, most) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  count(`${what}: heap in MB`, Math.ceil(usedSize / 1_000_000), most);
  return usedSize;
}

// How long to wait before the next try, in milliseconds. Random, so that tabs do not come together.

const LONGEST = 30_000;

export function pause(tries: number, random: () => number = Math.random): number {
  const most = Math.min(LONGEST, 1000 * 2 ** tries);
  return 1000 + random() * Math.max(0, most - 1000);
}

// Words and numbers as the page says them.

import type { Waiting } from "../api/model";

const REASONS: Record<string, string> = {
  paused: "its pipeline or backfill is paused",
  run_after: "its time has not come",
  dependency: "a pipeline that it depends on has not succeeded",
  concurrency_key: "other runs of its concurrency key execute",
  backfill_limit: "as many runs of its backfill execute as may",
  pipeline_limit: "as many runs of its pipeline execute as may",
  overlap: "another run of its schedule executes",
  engine_limit: "all slots are taken",
};

export function waitingSentence({ reason, ahead }: Waiting): string {
  const why = REASONS[reason] ?? reason;
  const before = ahead === undefined ? "" : ahead === 0 ? "; it is next" : `; ${ahead} ahead of it`;
  return `Waits because ${why}${before}`;
}

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString("en-US")} ${number === 1 ? one : many}`;
}

/** The first names of a list. */
export function someOf(names: readonly string[], most: number): string {
  return `${names.slice(0, most).join(", ")}${names.length > most ? ", …" : ""}`;
}

/** The last part of an id that grows with time: the first is the same for the runs of an hour. */
export function shortId(id: string): string {
  return id.length === 36 ? id.slice(-8) : id;
}

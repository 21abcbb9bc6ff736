// The newest backfills of all pipelines. The API lists those of one pipeline, so the newest runs
// of backfills lead to the pipelines.

import { ask, type Query } from "../../api/client";
import { isOpen, type Backfill } from "../../api/backfills";
import type { PageOf, Run } from "../../api/model";
import { Problem } from "../../api/problem";
import type { Source } from "../../live/resource";
import { pathOf } from "../../router/path";

const RUNS = 100;
const PAGES_MAX = 5;
/** So many of each pipeline are shown. Its own list has all of them. */
export const EACH = 20;

/** Reads pages of runs. The runs of a backfill are created together: each page skips the rest. */
async function newestRuns(pages: number, signal: AbortSignal): Promise<{ runs: Run[]; seq: number }> {
  const runs: Run[] = [];
  let seq = Number.NaN;
  let to: string | undefined;
  for (let page = 0; page < pages; page += 1) {
    const answer = await ask<PageOf<Run>>("runs", { query: { trigger: "backfill", limit: RUNS, to }, signal });
    if (page === 0) seq = answer.seq;
    runs.push(...answer.data.items);
    to = answer.data.items.at(-1)?.created_at;
    if (!answer.data.has_next || to === undefined) break;
  }
  return { runs, seq };
}

async function ofPipeline({ pipeline_id, tenant }: Run | Backfill, signal: AbortSignal): Promise<Backfill[]> {
  const query: Query = { limit: EACH, tenant };
  try {
    const { data } = await ask<PageOf<Backfill>>(pathOf("pipelines", pipeline_id, "backfills"), { query, signal });
    return data.items;
  } catch (error) {
    // The pipeline of an old run may be deleted.
    if (error instanceof Problem && error.status === 404) return [];
    throw error;
  }
}

const nameOf = ({ tenant, pipeline_id }: Run | Backfill) => JSON.stringify([tenant, pipeline_id]);

export function recentSource(): Source<Backfill[]> {
  const lists = new Map<string, Backfill[]>();
  let isKnown = false;
  const all = () => [...lists.values()].flat();
  const openOnes = () => all().filter(isOpen);
  return {
    // What happens while no list is known yet may be newer than the first answers.
    concerns: (event) => !isKnown || event.type === "run.created" || openOnes().some((own) => own.pipeline_id === event.pipeline_id),
    async read(signal) {
      const { runs, seq } = await newestRuns(lists.size === 0 ? PAGES_MAX : 1, signal);
      const known = new Set(all().map((own) => own.id));
      const isNew = (run: Run) => run.backfill_id !== undefined && !known.has(run.backfill_id);
      const old = new Map([...openOnes(), ...runs.filter(isNew)].map((own) => [nameOf(own), own]));
      const read = async ([name, own]: [string, Run | Backfill]) => lists.set(name, await ofPipeline(own, signal));
      await Promise.all([...old].map(read));
      isKnown = true;
      const data = all().sort((one, other) => (one.created_at < other.created_at ? 1 : -1));
      return { data, seq };
    },
  };
}

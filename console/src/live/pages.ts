// Reads all pages of a list, up to a limit.

import { ask, type Answer, type Query } from "../api/client";
import type { PageOf } from "../api/model";

const PAGE = 100;

export async function readPages<T>(path: string, pages: number, signal: AbortSignal, query: Query = {}): Promise<Answer<T[]>> {
  const found: T[] = [];
  let after: string | undefined;
  let seq = Number.NaN;
  let isCut = true;
  for (let page = 0; page < pages && isCut; page += 1) {
    const answer = await ask<PageOf<T>>(path, { query: { ...query, limit: PAGE, after }, signal });
    if (page === 0) seq = answer.seq;
    found.push(...answer.data.items);
    after = answer.data.cursor;
    isCut = answer.data.has_next && after !== undefined;
  }
  return { data: found, seq, isCut };
}

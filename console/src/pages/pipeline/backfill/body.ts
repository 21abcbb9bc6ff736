// The bodies of the requests that preview and create a backfill. Pure.

import type { BackfillPreview, BackfillUnit } from "../../../api/backfills";
import type { Range } from "./day_picker";

export interface Choices {
  unit: BackfillUnit;
  order: "asc" | "desc";
  parallel: number;
  /** After so many failures, nothing more starts. */
  failures?: number;
  isSkipping: boolean;
  params: Record<string, string>;
}

function shared({ unit, order, parallel, failures, params }: Choices) {
  return {
    unit,
    order,
    max_parallel: parallel,
    ...(failures === undefined ? {} : { max_failures: failures }),
    ...(Object.keys(params).length === 0 ? {} : { params }),
  };
}

export function previewBody({ from, to }: Range, choices: Choices) {
  return { start_date: from, end_date: to, ...shared(choices), skip_existing: choices.isSkipping, preview: true };
}

/**
 * Creates exactly what was previewed: its days by name. A day of hours or ticks may have some that
 * are skipped, which the API alone knows.
 */
export function createBody({ dates }: BackfillPreview, choices: Choices) {
  const hasSeveral = choices.unit === "hour" || choices.unit === "tick";
  return { dates: [...new Set(dates)], ...shared(choices), ...(hasSeveral && choices.isSkipping ? { skip_existing: true } : {}) };
}

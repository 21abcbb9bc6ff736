// Follows the runs for a view whose own answers have no number of an event to follow from.

import { useEffect } from "preact/hooks";
import { ask } from "../api/client";
import type { PageOf, Run } from "../api/model";
import { watch } from "./doorbell";
import { useResource } from "./resource";
import { RUN_EVENTS } from "./sources";

export function useFollowed(): void {
  useEffect(() => watch({ types: RUN_EVENTS }), []);
  useResource<PageOf<Run>>("newest", () => ({ read: (signal) => ask<PageOf<Run>>("runs", { query: { limit: 1 }, signal }) }));
}

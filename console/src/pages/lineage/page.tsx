// What all pipelines read and write.

import { useFollowed } from "../../live/follow";
import { LineageView } from "./view";

export function LineagePage() {
  useFollowed();
  return (
    <section aria-labelledby="lineage-title">
      <h1 id="lineage-title">Lineage</h1>
      <LineageView />
    </section>
  );
}

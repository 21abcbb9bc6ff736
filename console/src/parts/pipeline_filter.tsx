// Narrows a view to a pipeline, by its id. It applies when the caller leaves the field: half an id
// is no pipeline.

import { here, link, setQuery } from "../router/location";

export function PipelineFilter({ place }: { place: string }) {
  const pipeline = here.value.query.get("pipeline_id") ?? undefined;
  return (
    <>
      <input key={pipeline} aria-label="Pipeline" placeholder="Pipeline" data-filter defaultValue={pipeline ?? ""}
        onChange={(event) => setQuery({ pipeline_id: event.currentTarget.value.trim(), after: undefined })} />
      {pipeline !== undefined && <a class="button" href={link([place])}>All pipelines</a>}
    </>
  );
}

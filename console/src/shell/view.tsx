// The view of an address.

import { here, link } from "../router/location";
import { OverviewPage } from "../pages/overview/page";
import { PipelinePage } from "../pages/pipeline/page";
import { PipelinesPage } from "../pages/pipelines/page";
import { RunPage } from "../pages/run/page";
import { RunsPage } from "../pages/runs/page";

export function View() {
  const [place, id, ...rest] = here.value.path;
  if (rest.length === 0) {
    if (place === undefined || (place === "overview" && id === undefined)) return <OverviewPage />;
    if (place === "pipelines") return id === undefined ? <PipelinesPage /> : <PipelinePage key={id} id={id} />;
    if (place === "runs") return id === undefined ? <RunsPage /> : <RunPage key={id} id={id} />;
  }
  return (
    <section class="empty">
      <h1>There is no such view</h1>
      <p>The address may be of another version of the console.</p>
      <p><a href={link(["overview"])}>To the overview</a></p>
    </section>
  );
}

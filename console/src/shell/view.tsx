// The view of an address.

import { here, link } from "../router/location";
import { OverviewPage } from "../pages/overview/page";
import { PipelinesPage } from "../pages/pipelines/page";
import { RunPage } from "../pages/run/page";
import { RunsPage } from "../pages/runs/page";
import { More } from "../parts/more";

export function View() {
  const { path } = here.value;
  const [place, id, ...rest] = path;
  if (rest.length === 0) {
    if (place === undefined || (place === "overview" && id === undefined)) return <OverviewPage />;
    if (place === "pipelines" && id === undefined) return <PipelinesPage />;
    if (place === "runs") return id === undefined ? <RunsPage /> : <RunPage key={id} id={id} />;
  }
  return <More show={(more) => more.viewOf(path) ?? <Nothing />} />;
}

function Nothing() {
  return (
    <section class="empty">
      <h1>There is no such view</h1>
      <p>The address may be of another version of the console.</p>
      <p><a href={link(["overview"])}>To the overview</a></p>
    </section>
  );
}

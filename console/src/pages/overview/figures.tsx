// The figures of the last day, and a bar for each day of the week.

import type { Dashboard } from "../../api/model";
import { link } from "../../router/location";

export function Figures({ figures }: { figures: Dashboard }) {
  const rate = figures.success_rate_24h;
  const most = Math.max(1, ...figures.trends.map((day) => day.total));
  return (
    <section class="figures" aria-label="The last 24 hours">
      <a href={link(["runs"], { status: "running" })}><strong>{figures.runs_running}</strong> running</a>
      <a href={link(["runs"], { status: "failed" })} class={figures.runs_24h_failed > 0 ? "is-failed" : ""}><strong>{figures.runs_24h_failed}</strong> failed in 24 h</a>
      <a href={link(["runs"], { status: "success" })}><strong>{figures.runs_24h_success}</strong> succeeded in 24 h</a>
      <span><strong>{rate === undefined ? "–" : `${Math.round(rate * 10) / 10} %`}</strong> success</span>
      <div class="trend" role="img" aria-label={figures.trends.map((day) => `${day.date}: ${day.success} succeeded, ${day.failed} failed`).join("; ")}>
        {figures.trends.map((day) => (
          <span key={day.date} class="day" title={`${day.date}: ${day.total} runs, ${day.failed} failed`}>
            <span class="height is-failed" style={{ height: `${(40 * day.failed) / most}px` }} />
            <span class="height is-success" style={{ height: `${(40 * (day.total - day.failed)) / most}px` }} />
          </span>
        ))}
      </div>
    </section>
  );
}

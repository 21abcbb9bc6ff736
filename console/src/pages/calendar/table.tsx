// The days that had runs, as a table.

import type { CalendarDay } from "../../api/calendar";
import { runsOf } from "./year";

export function DaysTable({ days, pipeline }: { days: readonly CalendarDay[]; pipeline: string | undefined }) {
  const shown = days.filter((day) => day.total > 0).reverse();
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Days as a table">
      <table>
        <thead>
          <tr><th>Day</th><th class="number">Runs</th><th class="number">Succeeded</th><th class="number">Failed</th><th class="number">Cancelled</th><th class="number">Not finished</th></tr>
        </thead>
        <tbody>
          {shown.map((day) => (
            <tr key={day.date}>
              <td><a href={runsOf(day.date, pipeline)} data-row>{day.date}</a></td>
              <td class="number">{day.total}</td>
              <td class="number">{day.success}</td>
              <td class={day.failed > 0 ? "number error-text" : "number"}>{day.failed}</td>
              <td class="number">{day.cancelled}</td>
              <td class="number">{day.running + day.pending}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

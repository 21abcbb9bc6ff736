// What the runs of a day come to: in words, and as shares of a cell. Pure.

import type { CalendarDay } from "../../api/calendar";
import { count } from "../../text/words";

export function dayWords({ date, total, success, failed, cancelled, running, pending }: CalendarDay): string {
  if (total === 0) return `${date}: no run`;
  const parts: [number, string][] = [[success, "succeeded"], [failed, "failed"], [cancelled, "cancelled"], [running, "running"], [pending, "pending"]];
  return `${date}: ${count(total, "run")}, ${parts.flatMap(([own, word]) => (own === 0 ? [] : [`${own} ${word}`])).join(", ")}`;
}

/** The shares of the cell from above, in percent. A failure among many runs is still seen. */
export function shares({ total, success, failed }: CalendarDay): { success: number; failed: number; other: number } {
  if (total === 0) return { success: 0, failed: 0, other: 0 };
  const least = failed === 0 ? 0 : LEAST;
  const own = Math.max(least, (100 * failed) / total);
  const rest = total === failed ? 0 : 100 - own;
  const good = total === failed ? 0 : (rest * success) / (total - failed);
  return { success: good, failed: 100 - good - (rest - good), other: rest - good };
}

const LEAST = 18;

/** The instants between which the runs of a day were created. */
export function spanOf(date: string): { from: string; to: string } {
  const from = new Date(`${date}T00:00:00Z`);
  const to = new Date(from.getTime() + 24 * 3600 * 1000);
  return { from: from.toISOString(), to: to.toISOString() };
}

export function yearWords(days: readonly CalendarDay[]): string {
  const sum = (name: "total" | "success" | "failed") => days.reduce((all, day) => all + day[name], 0);
  const [total, success, failed] = [sum("total"), sum("success"), sum("failed")];
  if (total === 0) return "";
  const rate = success + failed === 0 ? "" : `: ${Math.floor((1000 * success) / (success + failed)) / 10} % succeeded`;
  const bad = days.filter((day) => day.failed > 0).length;
  return `${count(total, "run")} in ${count(days.length, "day")}${rate}, ${bad === 0 ? "no day" : count(bad, "day")} with a failure`;
}

// Ranges that are often chosen. Pure.

import { addDays, monthOf, weekday } from "../../../text/dates";
import type { Range } from "./day_picker";

export function presets(today: string): [string, Range][] {
  const monday = addDays(today, -weekday(today));
  return [
    ["Last week", { from: addDays(monday, -7), to: addDays(monday, -1) }],
    ["Last 30 days", { from: addDays(today, -30), to: addDays(today, -1) }],
    ["This month", { from: `${monthOf(today)}-01`, to: today }],
  ];
}

// Where a key leads from a day. Pure.

import { addDays, addMonths, monthOf, weekday } from "../../../text/dates";

export function moved(day: string, key: string): string | undefined {
  switch (key) {
    case "ArrowLeft": return addDays(day, -1);
    case "ArrowRight": return addDays(day, 1);
    case "ArrowUp": return addDays(day, -7);
    case "ArrowDown": return addDays(day, 7);
    case "Home": return addDays(day, -weekday(day));
    case "End": return addDays(day, 6 - weekday(day));
    case "PageUp": return inMonth(day, -1);
    case "PageDown": return inMonth(day, 1);
    default: return undefined;
  }
}

/** The same day of another month, or the last one that it has. */
function inMonth(day: string, months: number): string {
  const month = addMonths(monthOf(day), months);
  const wanted = addDays(`${month}-01`, Number(day.slice(8)) - 1);
  return monthOf(wanted) === month ? wanted : addDays(`${addMonths(month, 1)}-01`, -1);
}

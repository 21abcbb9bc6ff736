// What a cron expression means, in words. Pure.

const NAMED: Record<string, string> = {
  "@hourly": "every hour",
  "@daily": "every day at 00:00",
  "@weekly": "every Sunday at 00:00",
  "@monthly": "on the first of each month at 00:00",
  "@yearly": "on January 1 at 00:00",
};

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const SHORT = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

export function cronWords(expression: string): string {
  const named = NAMED[expression];
  if (named !== undefined) return named;
  const [minute = "*", hour = "*", day = "*", month = "*", weekday = "*"] = expression.trim().split(/\s+/);
  const days = [dayWords(day), monthWords(month), weekdayWords(weekday)].filter((part) => part !== "");
  const when = days.length === 0 ? "every day" : days.join(day !== "*" && weekday !== "*" ? " or " : " ");
  return `${timeWords(minute, hour)} ${when}`;
}

function timeWords(minute: string, hour: string): string {
  const isNumber = (text: string) => /^\d+$/.test(text);
  if (isNumber(minute) && isNumber(hour)) return `at ${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  const step = /^\*\/(\d+)$/;
  const minutes = minute === "*" ? "every minute" : step.test(minute) ? `every ${step.exec(minute)?.[1]} minutes` : `at minute ${minute}`;
  if (hour === "*") return minutes;
  return `${minutes}, ${step.test(hour) ? `every ${step.exec(hour)?.[1]} hours` : `in hour ${hour}`}`;
}

function dayWords(day: string): string {
  return day === "*" ? "" : `on day ${day} of the month`;
}

function monthWords(month: string): string {
  return month === "*" ? "" : `in month ${month}`;
}

function weekdayWords(weekday: string): string {
  if (weekday === "*") return "";
  const name = (text: string) => DAYS[/^\d$/.test(text) ? Number(text) : SHORT.indexOf(text.toLowerCase())] ?? text;
  const parts = weekday.split(",").map((part) => part.split("-").map(name).join(" to "));
  return `on ${parts.join(", ")}`;
}

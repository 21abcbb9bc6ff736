// A year as months of days, the newest month first. Each day shows which part of its runs has
// failed, and leads to them.

import { useRef, useState } from "preact/hooks";
import type { CalendarDay } from "../../api/calendar";
import { link } from "../../router/location";
import { monthName, monthOf, weeks } from "../../text/dates";
import { groups } from "../../groups";
import { moved } from "../pipeline/backfill/moved";
import { dayWords, shares, spanOf } from "./day";

interface Props {
  days: readonly CalendarDay[];
  pipeline: string | undefined;
}

export function runsOf(date: string, pipeline: string | undefined): string {
  return link(["runs"], { ...spanOf(date), ...(pipeline === undefined ? {} : { pipeline_id: pipeline }) });
}

export function Year({ days, pipeline }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const [cursor, setCursor] = useState(days.at(-1)?.date);
  const byDate = new Map(days.map((day) => [day.date, day]));
  const months = [...groups(days, (day) => monthOf(day.date)).keys()].reverse();
  const press = (event: KeyboardEvent) => {
    const next = cursor === undefined ? undefined : moved(cursor, event.key);
    if (next === undefined) return;
    event.preventDefault();
    const target = frame.current?.querySelector<HTMLElement>(`[data-day="${next}"]`);
    if (target === null || target === undefined) return;
    setCursor(next);
    target.focus();
  };
  return (
    <div class="year" ref={frame} onKeyDown={press} role="group" aria-label="Days of a year">
      {months.map((month) => (
        <section key={month} aria-label={monthName(month)}>
          <h3>{monthName(month)}</h3>
          {weeks(month).filter((week) => week.some((date) => byDate.has(date ?? ""))).map((week) => (
            <div class="week" key={week.find(Boolean)}>
              {week.map((date, at) => {
                const day = date === undefined ? undefined : byDate.get(date);
                return day === undefined
                  ? <span key={at} class="cell-of-day is-none" />
                  : <Day key={at} day={day} href={runsOf(day.date, pipeline)} isTab={day.date === cursor} onFocus={() => setCursor(day.date)} />;
              })}
            </div>
          ))}
        </section>
      ))}
    </div>
  );
}

interface DayProps {
  day: CalendarDay;
  href: string;
  isTab: boolean;
  onFocus(): void;
}

function Day({ day, href, isTab, onFocus }: DayProps) {
  const words = dayWords(day);
  const { success, failed, other } = shares(day);
  return (
    <a class="cell-of-day" href={href} data-day={day.date} tabIndex={isTab ? 0 : -1} onFocus={onFocus} title={words} aria-label={words}>
      {success > 0 && <span class="is-success" style={{ height: `${success}%` }} />}
      {other > 0 && <span class="is-other" style={{ height: `${other}%` }} />}
      {failed > 0 && <span class="is-failed" style={{ height: `${failed}%` }} />}
    </a>
  );
}

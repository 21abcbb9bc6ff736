// Months whose days are chosen: drag over them, choose the first and the last, or use the arrows.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { addDays, addMonths, dayName, monthName, monthOf, weeks } from "../../../text/dates";
import { moved } from "./moved";

export interface Range {
  from: string;
  to: string;
}

interface Props {
  range: Range | undefined;
  /** The last day that can be chosen. */
  today: string;
  onChoose(range: Range): void;
}

const WEEKDAYS = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"];
const NARROW = 700;

const rangeOf = (one: string, other: string): Range => (one < other ? { from: one, to: other } : { from: other, to: one });
const dayOf = (target: EventTarget | null) => (target instanceof Element ? target.closest<HTMLElement>("[data-day]")?.dataset.day : undefined);

export function DayPicker({ range, today, onChoose }: Props) {
  const months = innerWidth < NARROW ? 1 : 3;
  const [last, setLast] = useState(monthOf(range?.to ?? today));
  const [cursor, setCursor] = useState(range?.to ?? today);
  /** The days of a drag that is not over. */
  const [drag, setDrag] = useState<Range>();
  const [anchor, setAnchor] = useState<string>();
  const pressed = useRef<string | undefined>(undefined);
  const frame = useRef<HTMLDivElement>(null);
  const mustFocus = useRef(false);
  const first = addMonths(last, 1 - months);
  useEffect(() => {
    // A range that comes from the fields is shown, too.
    if (range !== undefined && (monthOf(range.to) > last || monthOf(range.to) < first)) setLast(monthOf(range.to));
    if (range !== undefined && !mustFocus.current && pressed.current === undefined) setCursor(range.to);
  }, [range?.from, range?.to]);
  useLayoutEffect(() => {
    if (!mustFocus.current) return;
    mustFocus.current = false;
    frame.current?.querySelector<HTMLElement>(`[data-day="${cursor}"]`)?.focus();
  }, [cursor, last]);
  const isChosen = (day: string) => {
    const own = drag ?? range;
    return own !== undefined && own.from <= day && day <= own.to;
  };
  const choose = (day: string) => {
    setCursor(day);
    setAnchor(anchor === undefined ? day : undefined);
    onChoose(rangeOf(anchor ?? day, day));
  };
  const go = (day: string, isExtending: boolean) => {
    const next = day > today ? today : day;
    mustFocus.current = true;
    setCursor(next);
    if (monthOf(next) > last) setLast(monthOf(next));
    else if (monthOf(next) < first) setLast(addMonths(monthOf(next), months - 1));
    if (!isExtending) return;
    setAnchor(anchor ?? cursor);
    onChoose(rangeOf(anchor ?? cursor, next));
  };
  const press = (event: KeyboardEvent) => {
    const next = moved(cursor, event.key);
    if (next !== undefined) go(next, event.shiftKey);
    else if (event.key === "Enter" || event.key === " ") choose(cursor);
    else return;
    event.preventDefault();
  };
  const down = (event: PointerEvent) => {
    const day = dayOf(event.target);
    if (event.pointerType !== "mouse" || event.button !== 0 || day === undefined || day > today) return;
    pressed.current = day;
    const up = () => {
      pressed.current = undefined;
      setDrag((own) => {
        if (own !== undefined) queueMicrotask(() => onChoose(own));
        return undefined;
      });
      removeEventListener("pointerup", up);
      removeEventListener("pointercancel", up);
    };
    addEventListener("pointerup", up);
    addEventListener("pointercancel", up);
  };
  const over = (event: PointerEvent) => {
    const day = dayOf(event.target);
    if (pressed.current === undefined || day === undefined || (drag === undefined && day === pressed.current)) return;
    setAnchor(undefined);
    setDrag(rangeOf(pressed.current, day > today ? today : day));
  };
  const click = (event: MouseEvent) => {
    const day = dayOf(event.target);
    if (day !== undefined && day <= today) choose(day);
  };
  const shown = Array.from({ length: months }, (_, at) => addMonths(first, at));
  const tabDay = monthOf(cursor) >= first && monthOf(cursor) <= last ? cursor : addDays(`${addMonths(last, 1)}-01`, -1) > today ? today : `${last}-01`;
  return (
    <div class="days">
      <div class="days-steps">
        <button type="button" onClick={() => setLast(addMonths(last, -1))} aria-label="Earlier">‹</button>
        <button type="button" disabled={last >= monthOf(today)} onClick={() => setLast(addMonths(last, 1))} aria-label="Later">›</button>
      </div>
      <div class="months" ref={frame} onKeyDown={press} onPointerDown={down} onPointerOver={over} onClick={click}>
        {shown.map((month) => (
          <table key={month} role="grid" aria-label={monthName(month)} aria-multiselectable="true">
            <caption>{monthName(month)}</caption>
            <thead><tr>{WEEKDAYS.map((day) => <th key={day} scope="col">{day}</th>)}</tr></thead>
            <tbody>
              {weeks(month).map((week) => (
                <tr key={week.find(Boolean)}>
                  {week.map((day, at) => day === undefined ? <td key={at} /> : (
                    <td
                      key={day}
                      role="gridcell"
                      data-day={day}
                      tabIndex={day === tabDay ? 0 : -1}
                      aria-label={dayName(day)}
                      aria-selected={isChosen(day)}
                      aria-disabled={day > today}
                      aria-current={day === today ? "date" : undefined}
                      onFocus={() => setCursor(day)}
                    >
                      {Number(day.slice(8))}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        ))}
      </div>
    </div>
  );
}

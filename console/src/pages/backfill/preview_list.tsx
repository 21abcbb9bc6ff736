// What a backfill would run and what it would skip.

import type { BackfillPreview } from "../../api/backfills";
import { exact, tickTime, zoneName } from "../../text/time";
import { count } from "../../text/words";

/** More are counted, and not listed. */
const SHOWN_MAX = 400;

interface Props {
  preview: BackfillPreview;
  /** What has the runs, as the beginning of a sentence. */
  what: string;
  zone?: string;
}

export function PreviewList({ preview, what, zone }: Props) {
  const { dates, skipped, instants = [], skipped_instants = [] } = preview;
  const hasInstants = instants.length + skipped_instants.length > 0;
  const left = hasInstants ? skipped_instants.length : skipped.length;
  return (
    <div class="preview-list">
      <p>
        {dates.length === 0 ? "No day is left to run." : <>{what} <strong>{count(dates.length, "run")}</strong>.</>}
        {left > 0 && ` ${count(left, "other")} ${left === 1 ? "has" : "have"} succeeded and ${left === 1 ? "is" : "are"} skipped.`}
      </p>
      <ul class="scroll is-short chips" tabIndex={0} aria-label="Previewed runs">
        {hasInstants
          ? instants.slice(0, SHOWN_MAX).map((time) => <li key={time} class="chip" data-instant={time} title={exact(time)}>{tickTime(time, zone ?? zoneName())}</li>)
          : dates.slice(0, SHOWN_MAX).map((date) => <li key={date} class="chip" data-date={date}>{date}</li>)}
        {dates.length > SHOWN_MAX && <li class="faint">and {dates.length - SHOWN_MAX} more</li>}
      </ul>
    </div>
  );
}

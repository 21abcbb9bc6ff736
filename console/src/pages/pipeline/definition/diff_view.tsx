// The difference of two texts: a sign and a color for each line that is gone or new.

import { diff, hunks } from "./diff";

const SIGNS = { same: " ", old: "−", new: "+" };

export function DiffView({ before, after, label }: { before: string; after: string; label: string }) {
  const shown = hunks(diff(before, after));
  if (shown.length === 0) return <p class="faint">Nothing differs.</p>;
  return (
    <div class="code diff" tabIndex={0} role="region" aria-label={label}>
      {shown.map(({ lines, skipped }, at) => (
        <div key={at}>
          {skipped > 0 && <p class="faint">{skipped} equal lines</p>}
          {lines.map(({ kind, text }, own) => (
            <pre key={own} class={`is-${kind}`}><span aria-hidden="true">{SIGNS[kind]} </span>{kind !== "same" && <span class="visually-hidden">{kind === "old" ? "gone: " : "new: "}</span>}{text}</pre>
          ))}
        </div>
      ))}
    </div>
  );
}

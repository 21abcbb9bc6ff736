// A text with numbered lines, and marks at those that something is wrong with.

import { useRef } from "preact/hooks";
import type { Remark } from "./draft";

interface Props {
  text: string;
  remarks: readonly Remark[];
  isReadOnly: boolean;
  onChange(text: string): void;
}

/** As the style has it, in pixels. */
const LINE = 19;

export function Editor({ text, remarks, isReadOnly, onChange }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const lines = text.split("\n");
  const byLine = new Map(remarks.map((remark) => [remark.line, remark.detail]));
  const goTo = (line: number) => {
    const from = lines.slice(0, line - 1).reduce((sum, own) => sum + own.length + 1, 0);
    area.current?.focus();
    area.current?.setSelectionRange(from, from + (lines[line - 1]?.length ?? 0));
    frame.current?.scrollTo({ top: Math.max(0, (line - 4) * LINE) });
  };
  return (
    <>
      <div class="editor" ref={frame}>
        <div class="editor-lines" aria-hidden="true">
          {lines.map((_, at) => <span key={at} class={byLine.has(at + 1) ? "is-bad" : ""} title={byLine.get(at + 1)}>{at + 1}</span>)}
        </div>
        <textarea
          ref={area}
          aria-label="Definition"
          aria-invalid={remarks.length > 0}
          spellcheck={false}
          wrap="off"
          readOnly={isReadOnly}
          value={text}
          style={{ height: `${lines.length * LINE + 16}px` }}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      </div>
      {remarks.length > 0 && (
        <ul class="notice remarks" aria-label="Problems">
          {remarks.map(({ line, pointer, detail }) => (
            <li key={`${line} ${pointer} ${detail}`}><button type="button" class="plain link" onClick={() => goTo(line)}>Line {line}</button> <code>{pointer}</code> {detail}</li>
          ))}
        </ul>
      )}
    </>
  );
}

// A small subset of Markdown as nodes, never as HTML: headings, lists, code, paragraphs, links.

import type { ComponentChildren } from "preact";

const INLINE = /(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)\s]+\))/;

function inline(text: string): ComponentChildren[] {
  return text.split(INLINE).map((part) => {
    if (part.startsWith("`") && part.endsWith("`") && part.length > 2) return <code>{part.slice(1, -1)}</code>;
    if (part.startsWith("**") && part.endsWith("**") && part.length > 4) return <strong>{part.slice(2, -2)}</strong>;
    const found = /^\[([^\]]+)\]\(([^)\s]+)\)$/.exec(part);
    const isSafe = found !== null && /^https?:\/\//.test(found[2] ?? "");
    return isSafe ? <a href={found[2]} rel="noreferrer">{found[1]}</a> : part;
  });
}

function block(text: string) {
  const heading = /^(#{1,4}) (.+)$/.exec(text);
  if (heading !== null) return <h4>{inline(heading[2] ?? "")}</h4>;
  if (text.startsWith("```")) return <pre>{text.replace(/^```[^\n]*\n?|\n?```$/g, "")}</pre>;
  const lines = text.split("\n");
  if (lines.every((line) => /^[-*] /.test(line))) {
    return <ul>{lines.map((line) => <li>{inline(line.slice(2))}</li>)}</ul>;
  }
  return <p>{inline(text)}</p>;
}

export function Markdown({ text }: { text: string }) {
  const blocks = text.split(/\n{2,}/).filter((part) => part.trim() !== "");
  return <div class="prose">{blocks.map((part) => block(part.trim()))}</div>;
}

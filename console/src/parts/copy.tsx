// Copies a text to the clipboard, where the browser lets a page do so.

import { useState } from "preact/hooks";

export function CopyButton({ text }: { text: string }) {
  const [word, setWord] = useState("Copy");
  const copy = () => {
    const copied = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("no clipboard"));
    copied.then(() => setWord("Copied"), () => setWord("The browser refused"));
  };
  return <button type="button" class="copy" onClick={copy}>{word}</button>;
}

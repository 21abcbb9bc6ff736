// A dialog over the page. The browser keeps the focus in it, and gives it back.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface Props {
  title: string;
  children: ComponentChildren;
  onClose(): void;
  isWide?: boolean;
}

export function Dialog({ title, children, onClose, isWide = false }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const own = element.current;
    own?.showModal();
    // Closed before it is removed: only then the browser gives the focus back.
    return () => own?.close();
  }, []);
  const closed = () => {
    // A dialog that is no longer shown was closed by its owner.
    if (element.current !== null) onClose();
  };
  const outside = (event: MouseEvent) => {
    if (event.target === element.current) onClose();
  };
  return (
    <dialog ref={element} class={isWide ? "is-wide" : ""} aria-label={title} onClose={closed} onMouseDown={outside}>
      <div class="dialog">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

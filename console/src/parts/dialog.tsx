// A dialog over the page. The browser keeps the focus in it, and gives it back.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Props {
  title: string;
  children: ComponentChildren;
  onClose(): void;
  isWide?: boolean;
}

export function Dialog({ title, children, onClose, isWide = false }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    element.current?.showModal();
  }, []);
  const outside = (event: MouseEvent) => {
    if (event.target === element.current) onClose();
  };
  return (
    <dialog ref={element} class={isWide ? "is-wide" : ""} aria-label={title} onClose={onClose} onMouseDown={outside}>
      <div class="dialog">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

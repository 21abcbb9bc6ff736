// Moves the view of a drawing: drag to pan, wheel with Ctrl or two fingers of a touchpad to zoom.

import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";
import { zoom, type Size, type View } from "./view";

export function usePanAndZoom(frame: RefObject<HTMLDivElement | null>) {
  const [view, setView] = useState<View>();
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setSize({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const wheel = (event: WheelEvent) => {
      const box = element.getBoundingClientRect();
      const at = { x: event.clientX - box.left, y: event.clientY - box.top };
      if (!event.ctrlKey && !event.metaKey) {
        if (event.deltaX === 0) return;
        event.preventDefault();
        setView((own) => own && { ...own, x: own.x - event.deltaX });
        return;
      }
      event.preventDefault();
      setView((own) => own && zoom(own, Math.exp(-event.deltaY / 200), at));
    };
    const down = (event: PointerEvent) => {
      if (event.button !== 0) return;
      let last = { x: event.clientX, y: event.clientY };
      let isDrag = false;
      const move = (next: PointerEvent) => {
        const [x, y] = [next.clientX - last.x, next.clientY - last.y];
        if (!isDrag && Math.hypot(x, y) < 4) return;
        if (!isDrag) element.setPointerCapture(event.pointerId);
        isDrag = true;
        last = { x: next.clientX, y: next.clientY };
        setView((own) => own && { ...own, x: own.x + x, y: own.y + y });
      };
      const up = () => {
        element.removeEventListener("pointermove", move);
        removeEventListener("pointerup", up);
        removeEventListener("pointercancel", up);
      };
      element.addEventListener("pointermove", move);
      addEventListener("pointerup", up);
      // A finger that scrolls the page ends its drag so.
      addEventListener("pointercancel", up);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    element.addEventListener("pointerdown", down);
    return () => {
      element.removeEventListener("wheel", wheel);
      element.removeEventListener("pointerdown", down);
    };
  }, []);
  return { view, setView, size };
}

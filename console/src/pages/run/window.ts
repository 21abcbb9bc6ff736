// The rows of a long list that are seen. The list stays at its end while it follows.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

const AROUND = 20;

export function useWindow(count: number, rowHeight: number) {
  const frame = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(400);
  const [isFollowing, setFollowing] = useState(true);
  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    const element = frame.current;
    if (isFollowing && element !== null) element.scrollTop = element.scrollHeight;
  }, [count, isFollowing, height]);
  const onScroll = () => {
    const element = frame.current;
    if (element === null) return;
    setTop(element.scrollTop);
    setFollowing(element.scrollTop + element.clientHeight >= element.scrollHeight - rowHeight);
  };
  const scroll = (to: number) => {
    if (frame.current !== null) frame.current.scrollTop = to;
  };
  return {
    frame,
    onScroll,
    isFollowing,
    follow: setFollowing,
    first: Math.max(0, Math.floor(top / rowHeight) - AROUND),
    last: Math.ceil((top + height) / rowHeight) + AROUND,
    show: (row: number) => {
      setFollowing(false);
      scroll(row * rowHeight);
    },
    /** Keeps what is seen in its place after rows were added above it. */
    shift: (by: number) => scroll((frame.current?.scrollTop ?? 0) + by),
  };
}

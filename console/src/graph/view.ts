// The part of a drawing that is seen: where it is, and how large. Pure.

export interface View {
  x: number;
  y: number;
  scale: number;
}

export interface Size {
  width: number;
  height: number;
}

export const NODE = { width: 168, height: 34, columnGap: 64, rowGap: 14 };

const SCALES = { least: 0.05, most: 2 };

export function place(column: number, row: number): { x: number; y: number } {
  return { x: column * (NODE.width + NODE.columnGap), y: row * (NODE.height + NODE.rowGap) };
}

export function sizeOf(columns: number, rows: number): Size {
  const end = place(columns - 1, rows - 1);
  return { width: end.x + NODE.width, height: end.y + NODE.height };
}

/** The room below a drawing, where its buttons are. */
export const TOOLS = 40;

/** Shows a whole drawing above the buttons, never larger than it is. */
export function fit(drawing: Size, whole: Size): View {
  const margin = 16;
  const window = { width: whole.width, height: whole.height - TOOLS };
  const room = { width: window.width - 2 * margin, height: window.height - 2 * margin };
  const scale = clamp(Math.min(1, room.width / drawing.width, room.height / drawing.height));
  const x = Math.max(margin, (window.width - drawing.width * scale) / 2);
  return { x, y: Math.max(margin, (window.height - drawing.height * scale) / 2), scale };
}

/** Zooms around a point of the window, which stays where it is. */
export function zoom(view: View, factor: number, at: { x: number; y: number }): View {
  const scale = clamp(view.scale * factor);
  const change = scale / view.scale;
  return { scale, x: at.x - (at.x - view.x) * change, y: at.y - (at.y - view.y) * change };
}

/** A text is read from this scale on. */
const READ = 0.7;

/** Moves a node at this place of the drawing into the middle of the window, unless it can be read. */
export function reveal(view: View, window: Size, at: { x: number; y: number }): View {
  if (isSeen(view, window, at) && view.scale >= READ) return view;
  const scale = Math.max(view.scale, READ);
  const [x, y] = [at.x + NODE.width / 2, at.y + NODE.height / 2];
  return { scale, x: window.width / 2 - x * scale, y: window.height / 2 - y * scale };
}

/** The height of the window of a drawing: low for one that is long and thin. */
export function heightOf(drawing: Size, width: number): number {
  const scale = width === 0 ? 1 : Math.min(1, width / drawing.width);
  return Math.min(480, Math.max(scale < 1 ? 260 : 120, drawing.height * scale + 32 + TOOLS));
}

function clamp(scale: number): number {
  return Math.min(SCALES.most, Math.max(SCALES.least, scale));
}

/** Whether a node at this place of the drawing is seen. */
export function isSeen(view: View, window: Size, at: { x: number; y: number }): boolean {
  const left = at.x * view.scale + view.x;
  const top = at.y * view.scale + view.y;
  const { width, height } = NODE;
  return left < window.width && top < window.height && left + width * view.scale > 0 && top + height * view.scale > 0;
}

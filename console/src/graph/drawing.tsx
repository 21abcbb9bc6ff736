// A graph as a drawing: pan, zoom, and a click or the keyboard to choose a node.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { EdgeDef, NodeStatus } from "../api/model";
import { Mark } from "../parts/mark";
import { edgePath, farPaths, shownEdges } from "./edges";
import { usePanAndZoom } from "./gestures";
import type { Layout } from "./layout";
import { layoutOf } from "./layouts";
import { fit, heightOf, isSeen, NODE, place, reveal, sizeOf, zoom, type Size, type View } from "./view";

export interface DrawnNode {
  id: string;
  name: string;
  type: string;
  status?: NodeStatus;
  note?: string;
  shape?: "raised" | "round";
}

interface Props {
  nodes: DrawnNode[];
  edges: EdgeDef[];
  selected?: string;
  /** What belongs to the chosen node, or to a search. Everything else is dim. */
  related?: ReadonlySet<string>;
  /** What the drawing is called. */
  label?: string;
  onSelect(id: string): void;
}

/** Beyond so many, nodes become marks without a text. */
const DRAWN_MAX = 400;

function useLayout(nodes: DrawnNode[], edges: EdgeDef[]): Layout | "failed" | undefined {
  const name = useMemo(
    () => JSON.stringify([nodes.map((node) => node.id), edges.map((edge) => [edge.from, edge.to])]),
    [nodes.length, edges, nodes.map((node) => node.id).join()],
  );
  const [made, setMade] = useState<Layout | "failed">();
  useEffect(() => {
    const index = new Map(nodes.map((node, at) => [node.id, at]));
    const pairs = edges.flatMap(({ from, to }): [number, number][] => {
      const [one, other] = [index.get(from), index.get(to)];
      return one === undefined || other === undefined ? [] : [[one, other]];
    });
    let isWanted = true;
    const take = (layout: Layout | "failed") => {
      if (isWanted) setMade(layout);
    };
    layoutOf(name, { count: nodes.length, edges: pairs }).then(take, () => take("failed"));
    return () => {
      isWanted = false;
    };
  }, [name]);
  return made;
}

export function Drawing({ nodes, edges, selected, related, label = "Graph of the nodes", onSelect }: Props) {
  const made = useLayout(nodes, edges);
  const layout = made === "failed" ? undefined : made;
  const frame = useRef<HTMLDivElement>(null);
  const { view, setView, size } = usePanAndZoom(frame);
  const isReady = layout !== undefined && layout.x.length === nodes.length && size.width > 0;
  const drawing = layout === undefined ? { width: 1, height: 1 } : sizeOf(layout.columns, layout.rows);
  const show = (view: View | undefined) => {
    const own = nodes.findIndex(({ id }) => id === selected);
    if (!isReady || own === -1 || view === undefined) return view;
    return reveal(view, size, place(layout.x[own] ?? 0, layout.y[own] ?? 0));
  };
  useEffect(() => {
    if (isReady) setView(show(fit(drawing, size)));
  }, [layout, size.width, size.height]);
  useEffect(() => setView(show), [selected]);
  const scaled = (factor: number) => {
    const middle = { x: size.width / 2, y: size.height / 2 };
    setView((own) => own && zoom(own, factor, middle));
  };
  const height = heightOf(drawing, size.width);
  return (
    <div class="drawing" ref={frame} style={{ height: `${height}px` }} role="group" aria-label={label}>
      {isReady && view !== undefined && (
        <svg width="100%" height="100%">
          <g transform={`translate(${view.x} ${view.y}) scale(${view.scale})`}>
            <Contents {...{ nodes, edges, layout, view, size, selected, related, onSelect }} />
          </g>
        </svg>
      )}
      {made === "failed" && <p class="empty" role="alert">The graph cannot be drawn. Load the page again.</p>}
      <div class="drawing-tools">
        <button type="button" onClick={() => scaled(1.3)} aria-label="Larger">+</button>
        <button type="button" onClick={() => scaled(1 / 1.3)} aria-label="Smaller">−</button>
        <button type="button" onClick={() => setView(fit(drawing, size))}>Fit</button>
      </div>
    </div>
  );
}

interface ContentsProps extends Props {
  layout: Layout;
  view: View;
  size: Size;
}

function Contents({ nodes, edges, layout, view, size, selected, related, onSelect }: ContentsProps) {
  const at = (index: number) => place(layout.x[index] ?? 0, layout.y[index] ?? 0);
  const index = useMemo(() => new Map(nodes.map((node, own) => [node.id, own])), [nodes]);
  const seen = nodes.flatMap((_, own) => (isSeen(view, size, at(own)) ? [own] : []));
  const paths = useMemo(() => {
    const shown = shownEdges(edges, selected);
    return shown.flatMap((edge) => {
      const [from, to] = [index.get(edge.from), index.get(edge.to)];
      return from === undefined || to === undefined ? [] : [{ edge, path: edgePath(at(from), at(to)) }];
    });
  }, [edges, selected, layout, index]);
  const touches = (edge: EdgeDef) =>
    related === undefined ? edge.from === selected || edge.to === selected : related.has(edge.from) && related.has(edge.to);
  const isFar = seen.length > DRAWN_MAX;
  return (
    <>
      {paths.length <= DRAWN_MAX
        ? paths.map(({ edge, path }) => <Edge key={`${edge.from} ${edge.to}`} {...{ edge, path }} isChosen={touches(edge)} />)
        : <path class="edge" d={paths.map(({ path }) => path).join("")} />}
      {isFar
        ? farPaths(nodes, seen, at).map(([status, path]) => <path key={status} class={`far is-${status}`} d={path} />)
        : seen.map((own) => {
            const node = nodes[own] as DrawnNode;
            return <Node key={node.id} {...{ node, onSelect }} at={at(own)} isSelected={node.id === selected} isDim={related?.has(node.id) === false} />;
          })}
    </>
  );
}

function Edge({ edge, path, isChosen }: { edge: EdgeDef; path: string; isChosen: boolean }) {
  const kind = edge.condition === undefined ? "" : edge.condition ? " is-true" : " is-false";
  return (
    <path class={`edge${isChosen ? " is-chosen" : ""}${kind}`} d={path}>
      {edge.condition !== undefined && <title>{`taken on ${edge.condition}`}</title>}
    </path>
  );
}

interface NodeProps {
  node: DrawnNode;
  at: { x: number; y: number };
  isSelected: boolean;
  isDim: boolean;
  onSelect(id: string): void;
}

function Node({ node, at, isSelected, isDim, onSelect }: NodeProps) {
  const status = node.status ?? "none";
  const x = node.status === undefined ? 12 : 30;
  // Who speaks to the browser says what is visible, so the name begins with it.
  const label = [node.name, node.note ?? node.type, node.status].filter((part) => part !== undefined && part !== "").join(" ");
  const choose = (event: KeyboardEvent) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      onSelect(node.id);
    }
  };
  return (
    <g
      class={`node is-${status}${isSelected ? " is-selected" : ""}${isDim ? " is-dim" : ""} ${node.shape ?? ""}`}
      transform={`translate(${at.x} ${at.y})`}
      role="button"
      // In SVG, the name of an attribute has a case.
      tabindex={0}
      aria-pressed={isSelected}
      onClick={() => onSelect(node.id)}
      onKeyDown={choose}
    >
      <title>{label}</title>
      <rect width={NODE.width} height={NODE.height} rx="6" />
      {node.status !== undefined && <Mark status={node.status} x={10} y={11} />}
      <text x={x} y={node.note === undefined ? 21 : 15}>{cut(node.name, 20)}</text>
      {node.note !== undefined && <text class="note" x={x} y={28}>{cut(node.note, 24)}</text>}
    </g>
  );
}

function cut(text: string, most: number): string {
  const letters = [...text];
  return letters.length <= most ? text : `${letters.slice(0, most - 1).join("")}…`;
}

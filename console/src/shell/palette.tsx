// Finds views, a run by its id, and pipelines, connections and variables by their names.

import { useEffect, useState } from "preact/hooks";
import { ask } from "../api/client";
import type { SearchHit } from "../api/model";
import { Problem } from "../api/problem";
import { locked } from "../api/session";
import { Dialog } from "../parts/dialog";
import { go, link } from "../router/location";
import { pipelineLink, tenantOf } from "../router/tenant";
import { opened } from "./keyboard";
import { placesOf } from "./places";

interface Hit {
  name: string;
  meta: string;
  address: string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const TYPED_MS = 150;

function placesFor(text: string): Hit[] {
  const found = placesOf().filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
  const hits = found.map(({ id, name }) => ({ name, meta: "view", address: link([id]) }));
  if (UUID.test(text)) hits.unshift({ name: text, meta: "run", address: link(["runs", text]) });
  return hits;
}

async function search(text: string, signal: AbortSignal): Promise<Hit[]> {
  const { data } = await ask<SearchHit[]>("search", { query: { q: text, limit: 20 }, signal });
  return data.map((hit) => ({
    name: hit.name,
    meta: [hit.type, hit.meta, tenantOf(hit).tenant].filter(Boolean).join(" · "),
    address: hit.type === "pipeline" ? pipelineLink(hit.id, hit) : link([`${hit.type}s`], { q: hit.id }),
  }));
}

/** Returns what is found, and whether the search is over. A hit of an earlier text is none. */
function useHits(text: string): { hits: Hit[]; isDone: boolean } {
  const [found, setFound] = useState<{ text: string; hits: Hit[] }>({ text: "", hits: [] });
  useEffect(() => {
    if (text === "" || locked.value) return setFound({ text, hits: [] });
    const control = new AbortController();
    const take = (hits: Hit[]) => {
      if (!control.signal.aborted) setFound({ text, hits });
    };
    const timer = setTimeout(() => {
      search(text, control.signal).then(take, (error: unknown) => {
        // A search that is refused or interrupted finds nothing.
        if (!(error instanceof Problem) && !control.signal.aborted) throw error;
        take([]);
      });
    }, TYPED_MS);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [text]);
  const isDone = found.text === text;
  return { hits: [...placesFor(text), ...(isDone ? found.hits : [])], isDone };
}

export function Palette() {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const { hits, isDone } = useHits(text.trim());
  const chosen = Math.min(at, hits.length - 1);
  useEffect(() => document.getElementById(`hit-${chosen}`)?.scrollIntoView({ block: "nearest" }), [chosen]);
  const close = () => (opened.value = undefined);
  const open = (hit: Hit | undefined) => {
    if (hit === undefined) return;
    close();
    go(hit.address);
  };
  const press = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      setAt(Math.max(0, Math.min(hits.length - 1, chosen + step)));
    } else if (event.key === "Enter") {
      event.preventDefault();
      open(hits[chosen]);
    }
  };
  return (
    <Dialog title="Search" onClose={close}>
      <input
        role="combobox"
        aria-label="Search"
        aria-expanded="true"
        aria-controls="hits"
        aria-activedescendant={chosen >= 0 ? `hit-${chosen}` : undefined}
        placeholder="A view, a pipeline, a connection, a variable, the id of a run"
        autoFocus
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={press}
      />
      <ul id="hits" role="listbox" aria-label="Found" class="hits">
        {hits.map((hit, index) => (
          <li key={hit.address} id={`hit-${index}`} role="option" aria-selected={index === chosen} onClick={() => open(hit)}>
            <span>{hit.name}</span> <span class="faint">{hit.meta}</span>
          </li>
        ))}
      </ul>
      {hits.length === 0 && isDone && <p class="faint">Nothing has this name.</p>}
    </Dialog>
  );
}

// What is around every view: head, banner, and the dialogs that any key opens.

import { useSignalEffect } from "@preact/signals";
import { capabilities, refusal } from "../api/caller";
import type { Problem } from "../api/problem";
import { locked } from "../api/session";
import { ProblemBox } from "../parts/problem";
import { here, link, setQuery } from "../router/location";
import { narrowedTo } from "../router/tenant";
import { settings } from "../settings";
import { Banner, LiveMark } from "./freshness";
import { Help } from "./help";
import { Keyboard, opened } from "./keyboard";
import { Login } from "./login";
import { Palette } from "./palette";
import { PLACES, placesOf } from "./places";
import { View } from "./view";
import { ZoneSwitch } from "./zone";

export function Shell() {
  useSignalEffect(() => {
    const [place, ...rest] = here.value.path;
    const name = rest.at(-1) ?? PLACES.find(({ id }) => id === place)?.name ?? "";
    // The names of the views may be wider than a phone.
    requestAnimationFrame(() => document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest" }));
    document.title = name === "" ? settings.title : `${name} · ${settings.title}`;
  });
  return (
    <>
      <a class="skip" href="#content" data-plain onClick={toContent}>To the content</a>
      <Head />
      <Banner />
      <main id="content" tabIndex={-1}>
        {locked.value ? <Login /> : <Shown />}
      </main>
      <Keyboard />
      {opened.value === "palette" && <Palette />}
      {opened.value === "help" && <Help />}
    </>
  );
}

// The `base` of the page would turn the link into one to the mount.
function toContent(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById("content")?.focus();
}

function Shown() {
  if (refusal.value !== undefined && refusal.value.status === 403) return <Refused problem={refusal.value} />;
  return <View key={here.value.query.get("tenant") ?? undefined} />;
}

/** The caller may do nothing here. The address may name a tenant that is not its own. */
function Refused({ problem }: { problem: Problem }) {
  const query = new URLSearchParams(here.value.query);
  const hasTenant = query.has("tenant");
  query.delete("tenant");
  return (
    <>
      <ProblemBox problem={problem} />
      {hasTenant && <p><a href={`${location.pathname}?${query}`} data-plain>Without the tenant</a></p>}
    </>
  );
}

function Head() {
  const place = here.value.path[0] ?? "overview";
  const caller = capabilities.value?.caller;
  const tenant = narrowedTo();
  return (
    <header class="head">
      <a class="title" href={link(["overview"])}>{settings.title}</a>
      <nav aria-label="Views">
        {placesOf().map(({ id, name }) => (
          <a key={id} href={link([id])} aria-current={id === place ? "page" : undefined}>{name}</a>
        ))}
      </nav>
      <button type="button" class="search" onClick={() => (opened.value = "palette")}>
        <span class="search-word">Search</span> <kbd>Ctrl K</kbd>
      </button>
      <span class="grow" />
      {tenant !== undefined && (
        <button type="button" class="chip" title="Show the objects of every tenant" onClick={() => setQuery({ tenant: undefined }, "push")}>
          {tenant === "" ? "no tenant" : tenant} ✕
        </button>
      )}
      {caller?.tenant !== undefined && <span class="chip" title="The tenant whose objects you see">{caller.tenant}</span>}
      {caller?.name !== undefined && <span class="faint who">{caller.name}</span>}
      {settings.links.map(({ name, url }) => <a key={url} href={url} data-plain rel="noreferrer">{name}</a>)}
      <ZoneSwitch />
      <LiveMark />
    </header>
  );
}

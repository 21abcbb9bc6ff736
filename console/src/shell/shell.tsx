// What is around every view: head, banner, and the dialogs that any key opens.

import { useSignalEffect } from "@preact/signals";
import { capabilities, refusal } from "../api/caller";
import { locked } from "../api/session";
import { ProblemBox } from "../parts/problem";
import { here, link } from "../router/location";
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
  if (refusal.value !== undefined && refusal.value.status === 403) return <ProblemBox problem={refusal.value} />;
  return <View />;
}

function Head() {
  const place = here.value.path[0] ?? "overview";
  const caller = capabilities.value?.caller;
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
      {caller?.tenant !== undefined && <span class="chip" title="The tenant whose objects you see">{caller.tenant}</span>}
      {caller?.name !== undefined && <span class="faint who">{caller.name}</span>}
      {settings.links.map(({ name, url }) => <a key={url} href={url} data-plain rel="noreferrer">{name}</a>)}
      <ZoneSwitch />
      <LiveMark />
    </header>
  );
}

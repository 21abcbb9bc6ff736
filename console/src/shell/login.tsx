// Asks who the caller is: a key, or the login of the host.

import { useState } from "preact/hooks";
import { key, unlock } from "../api/session";
import { settings } from "../settings";

/** What a header may have. A browser sends nothing with another key. */
const KEY = "\\s*[!-~]*\\s*";

export function Login() {
  const [text, setText] = useState("");
  const wasRefused = key() !== "";
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    unlock(text.trim());
  };
  return (
    <section class="login" aria-labelledby="login-title">
      <h1 id="login-title">{wasRefused ? "The server does not accept this key" : "The server does not know you"}</h1>
      {settings.login_url !== undefined && (
        <p><a class="button is-main" href={settings.login_url} data-plain>Log in</a></p>
      )}
      <form onSubmit={submit}>
        <label for="key">Key of the API</label>
        <div class="row">
          <input id="key" type="password" autoComplete="off" pattern={KEY} title="A key has no spaces, and letters without accents" value={text} onInput={(event) => setText(event.currentTarget.value)} />
          <button type="submit" class={settings.login_url === undefined ? "is-main" : ""}>Use the key</button>
        </div>
        <p class="faint">The key stays in this tab until you close it. It never becomes a part of an address.</p>
      </form>
    </section>
  );
}

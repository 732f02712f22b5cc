// The door: shown when the address does not say who we are, or the platform did not take the name.

import { html } from "./html.js";

export function SignIn({ state, link }) {
  const submit = (event) => {
    event.preventDefault();
    const name = new FormData(event.currentTarget).get("name").trim();
    if (name) link.enter(name);
  };
  return html`<main class="door">
    <form onSubmit=${submit}>
      <h1>Who are you?</h1>
      <p class="muted">Any name will do. Each tab of the local platform is one user.</p>
      ${state.problem && html`<p class="wrong" role="alert">${state.problem}</p>`}
      <p class="field">
        <label for="guest-name">Your name</label>
        <input id="guest-name" name="name" type="text" autocomplete="off" placeholder="alice" maxlength="40" autofocus required />
      </p>
      <div class="actions"><button type="submit" class="primary">Enter</button></div>
    </form>
  </main>`;
}

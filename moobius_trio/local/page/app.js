// Where the page starts: who the address says we are, one link, and the screen drawn anew after
// every event. The parts of the screen are in components/.

import { html } from "./components/html.js";
import { AgentsDialog } from "./components/agents.js";
import { Composer } from "./components/composer.js";
import { BandDialog } from "./components/dialogs.js";
import { AskedDialog } from "./components/forms.js";
import { Header } from "./components/header.js";
import { Icon } from "./components/icons.js";
import { Keys } from "./components/keys.js";
import { Messages } from "./components/messages.js";
import { Crash, Panel } from "./components/panel.js";
import { People } from "./components/people.js";
import { SignIn } from "./components/sign_in.js";
import { Stage } from "./components/stage.js";
import { DropZone } from "./components/uploads.js";
import { Link } from "./link.js";
import { currentBand, sentence } from "./select.js";
import { render } from "./vendor/preact.js";
import { useState } from "./vendor/hooks.js";

function Notices({ state, link }) {
  return html`
    <div class="notices">
      ${state.link === "lost" &&
      html`<p class="notice warning" role="status">
        <${Icon} name="warning" />
        <span>Not connected. ${sentence(state.linkReason)} Trying again…</span>
        <button type="button" onClick=${() => link.tryNow()}>Try now</button>
      </p>`}
      ${state.problem &&
      html`<p class="notice problem" role="alert">
        <${Icon} name="warning" />
        <span>${state.problem}</span>
        <button type="button" onClick=${() => link.dispatch({ kind: "problem", text: "" })}>
          Dismiss
        </button>
      </p>`}
    </div>
  `;
}

function App({ state, link }) {
  const [makesBand, setMakesBand] = useState(false);
  if (state.link === "idle") return html`<${SignIn} state=${state} link=${link} />`;
  return html`
    <${Header} state=${state} link=${link} onNewBand=${() => setMakesBand(true)} />
    <${Notices} state=${state} link=${link} />
    <${Crash} state=${state} link=${link} />
    <div class="columns">
      <${People} state=${state} link=${link} />
      <main>
        <${Stage} state=${state} link=${link} />
        <${Messages} key=${`messages ${state.bandId}`} state=${state} link=${link} />
        <${Keys} state=${state} link=${link} />
        <${Composer} key=${`composer ${state.bandId}`} state=${state} link=${link} />
      </main>
      ${state.builds && html`<${Panel} state=${state} link=${link} />`}
    </div>
    <${DropZone} state=${state} link=${link} />
    <p class=${state.told ? "told" : "told hidden"} role="status" aria-label="Done">${state.told}</p>
    ${state.form && html`<${AskedDialog} form=${state.form} link=${link} />`}
    ${state.agents && html`<${AgentsDialog} state=${state} link=${link} />`}
    ${makesBand && html`<${BandDialog} link=${link} onClose=${() => setMakesBand(false)} />`}
  `;
}

const root = document.getElementById("app");
const address = new URLSearchParams(location.search);
const who = { name: (address.get("as") ?? "").trim(), band: address.get("band") ?? "" };

const link = new Link(who, (state) => {
  document.title = [state.name, currentBand(state)?.name ?? "Moobius"].filter(Boolean).join(" · ");
  render(html`<${App} state=${state} link=${link} />`, root);
});
link.start();

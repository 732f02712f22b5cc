// A box for any frame, a wrong one too: what is in it goes up as it is, and what the platform says
// to it is shown beneath.

import { sentence } from "../select.js";
import { html } from "./html.js";

const WORDS = {
  editing: () => "",
  sent: () => "Sent. The platform has not answered yet.",
  taken: () => "The platform has taken it.",
  refused: (reason) => `Refused: ${sentence(reason) || "no reason given."}`,
};

export function RawBox({ raw, inspection }) {
  const send = (event) => {
    event.preventDefault();
    inspection.sendRaw();
  };
  return html`<form class="raw" aria-label="Raw frame" onSubmit=${send}>
    <textarea
      aria-label="Frame to send"
      rows="9"
      spellcheck="false"
      autocomplete="off"
      value=${raw.text}
      onInput=${(event) => inspection.dispatch({ kind: "raw_typed", text: event.currentTarget.value })}
    />
    <label class="check" title="The platform drops a frame whose request_id it has seen.">
      <input
        type="checkbox"
        checked=${raw.fresh}
        onChange=${(event) =>
          inspection.dispatch({ kind: "raw_fresh_chosen", fresh: event.currentTarget.checked })}
      />
      With a fresh request_id
    </label>
    <div class="doings">
      <p class=${raw.state === "refused" ? "wrong" : "hint"} role="status" aria-label="Answer">
        ${WORDS[raw.state](raw.reason)}
      </p>
      <button type="button" onClick=${() => inspection.dispatch({ kind: "raw_closed" })}>Close</button>
      <button type="submit" class="primary">Send frame</button>
    </div>
  </form>`;
}

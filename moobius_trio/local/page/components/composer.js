// Where a message is written: whom it goes to, files, the text. Who is not in the band finds
// the way in here instead.

import { closedReason, currentBand, currentRoom, recipients } from "../select.js";
import { useRef } from "../vendor/hooks.js";
import { html } from "./html.js";
import { Recipients } from "./recipients.js";
import { FileButton, Uploads } from "./uploads.js";

const WRITING = "writing";

/** Lead the keyboard to where the message is written. */
export const focusWriting = () => document.getElementById(WRITING)?.focus();

function Outside({ state, link }) {
  const band = currentBand(state)?.name ?? "this band";
  return html`<div class="composer outside">
    <p>You have left ${band}.</p>
    <button type="button" class="primary" onClick=${() => link.dispatch({ kind: "join_pressed" })}>
      Join
    </button>
  </div>`;
}

export function Composer({ state, link }) {
  const box = useRef(null);
  if (state.link === "up" && currentRoom(state).membership === "left")
    return html`<${Outside} state=${state} link=${link} />`;
  const closed = closedReason(state);
  const cannotSend = closed !== "" || recipients(state).ids === null;
  const keep = () => link.keepDraft(state.bandId, box.current.value);
  const send = (event) => {
    event.preventDefault();
    if (!cannotSend && box.current.value.trim() && link.say(box.current.value)) {
      box.current.value = "";
      keep();
    }
    box.current.focus();
  };
  const onKeyDown = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  };
  return html`<form class="composer" aria-label="Write a message" onSubmit=${send}>
    <${Recipients} state=${state} link=${link} />
    <${Uploads} state=${state} link=${link} />
    <div class="write">
      <${FileButton} link=${link} disabled=${cannotSend} />
      <textarea
        ref=${box}
        id=${WRITING}
        defaultValue=${link.draft(state.bandId)}
        rows="1"
        aria-label="Message"
        placeholder="Write to the band…"
        onInput=${keep}
        onKeyDown=${onKeyDown}
      />
      <button type="submit" class="primary" disabled=${cannotSend} title=${closed} aria-describedby="goes-to">
        Send
      </button>
    </div>
  </form>`;
}

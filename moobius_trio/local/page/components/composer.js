// Where a message is written: whom it goes to, files, the text. Who is not in the band finds
// the way in here instead.

import { closedReason, currentBand, currentRoom, noListReason, recipients } from "../select.js";
import { useRef } from "../vendor/hooks.js";
import { Avatar } from "./avatar.js";
import { html } from "./html.js";
import { FileButton, Uploads } from "./uploads.js";

const WRITING = "writing";

/** Lead the keyboard to where the message is written. */
export const focusWriting = () => document.getElementById(WRITING)?.focus();

function Chip({ label, title, pressed, disabled, onPick, children }) {
  return html`<button
    type="button"
    class="chip"
    aria-pressed=${String(pressed)}
    disabled=${disabled}
    title=${title}
    onClick=${onPick}
  >
    ${children}<bdi>${label}</bdi>
  </button>`;
}

function Recipients({ state, link }) {
  const { characters, to } = currentRoom(state);
  const { label, reason } = recipients(state);
  const noList = noListReason(state);
  const pick = (kind, userId) => () => link.dispatch({ kind, userId });
  return html`<div class="recipients">
    <div class="chips" role="group" aria-label="Recipients" aria-describedby="goes-to">
      <span class="to" aria-hidden="true">To:</span>
      <${Chip}
        label="All"
        pressed=${to.kind === "all"}
        disabled=${noList !== ""}
        title=${noList}
        onPick=${pick("all_picked")}
      />
      <${Chip} label="Service (∞)" pressed=${to.kind === "service"} onPick=${pick("service_picked")} />
      ${(characters ?? []).map(
        ({ userId, nickname, username, avatar }, index) => html`<${Chip}
          key=${`${userId} ${index}`}
          label=${nickname}
          title=${username}
          pressed=${to.kind === "picked" && to.ids.includes(userId)}
          onPick=${pick("character_picked", userId)}
        >
          <${Avatar} username=${username} name=${nickname} picture=${avatar} />
        <//>`,
      )}
    </div>
    <p class="hint" id="goes-to" role="status" aria-label="Goes to">
      ${closedReason(state) || noList || reason || label}
    </p>
  </div>`;
}

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

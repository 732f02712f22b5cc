// One message: who to whom, of what kind, when, and what it holds. Those that this user sent up are
// marked as such: what others saw of them is the service's to say.

import { nameOf } from "../select.js";
import { Avatar } from "./avatar.js";
import { Content } from "./content.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { below } from "./menu.js";
import { clockToMinute, dayAndClock } from "./times.js";

const NAMES_SHOWN = 30;

const UP_WORDS = {
  sending: "sent up",
  sent: "sent up",
  refused: "refused",
  unconfirmed: "not confirmed",
};

function recipientNames(state, ids) {
  const names = ids.slice(0, NAMES_SHOWN).map((id) => nameOf(state, id));
  return names.join(", ") + (ids.length > NAMES_SHOWN ? `, and ${ids.length - NAMES_SHOWN} more` : "");
}

function Time({ timestamp }) {
  if (!timestamp) return null;
  const time = new Date(timestamp);
  return html`<span>
    · <time datetime=${time.toISOString()} title=${dayAndClock(time)}>${clockToMinute(time)}</time>
  </span>`;
}

function Fate({ status, reason }) {
  return html`<span class="fate">
    <${Icon} name="up" />${UP_WORDS[status]}${status === "refused" && reason && `: ${reason}`}
  </span>`;
}

/** `onMenu(message, at)` opens its menu; `isLast`: its button is the one that Tab leads to. */
export function Message({ state, message, isLast, onMenu }) {
  const { direction, sender, recipients: ids, subtype, status, reason } = message;
  const person = state.people.get(sender);
  const isUp = direction === "up";
  const isOwn = sender === state.me?.userId;
  const name = isUp ? "You" : nameOf(state, sender);
  const toService = isUp && ids.length === 0;
  const to = toService ? "the Service" : String(ids.length);
  const names = recipientNames(state, ids);
  const fate = isUp ? UP_WORDS[status] : "";
  const kinds = ["message", isUp ? "up" : "down", isOwn && "own", status].filter(Boolean);
  const onContextMenu = (event) => {
    // Shift, and a marked text, keep the browser's own menu.
    if (event.shiftKey || String(getSelection())) return;
    event.preventDefault();
    onMenu(message, { x: event.clientX - 4, y: event.clientY - 4 });
  };
  return html`<article
    class=${kinds.join(" ")}
    aria-label=${[`${name} to ${to}`, subtype, fate].filter(Boolean).join(", ")}
    onContextMenu=${onContextMenu}
  >
    ${!isUp &&
    html`<${Avatar}
      username=${person?.username ?? sender}
      name=${name}
      picture=${person?.avatar}
    />`}
    <div class="said">
      <p class="meta">
        <bdi class="sender">${name}</bdi>${" "}
        <span class="to">
          <span aria-hidden="true">→ ${toService ? "Service (∞)" : to}</span>
          ${names && html`<span class="names-of"><span class="hidden"> to </span>${names}</span>`}
        </span>
        ${" "}<span>· ${subtype}</span>${" "}<${Time} timestamp=${message.timestamp} />
        ${isUp && html`<${Fate} status=${status} reason=${reason} />`}
      </p>
      <div class="held">
        <${Content} message=${message} from=${name} />
        <button
          type="button"
          class="small quiet more"
          aria-label="Message menu"
          title="Message menu"
          aria-haspopup="menu"
          tabindex=${isLast ? 0 : -1}
          onClick=${({ currentTarget }) => onMenu(message, below(currentTarget))}
        >
          <${Icon} name="more" />
        </button>
      </div>
    </div>
  </article>`;
}

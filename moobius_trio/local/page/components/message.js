// One message: who to whom, of what kind, when, and what it holds. Those that this user sent up are
// marked as such: what others saw of them is the service's to say.

import { nameOf, namesOf } from "../select.js";
import { useMemo } from "../vendor/hooks.js";
import { Avatar } from "./avatar.js";
import { Content } from "./content.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { below } from "./menu.js";
import { clockToMinute, dayAndClock } from "./times.js";

const NAMES_SHOWN = 30;
const PRESS_MS = 550;
const PRESS_SLACK = 10; // pixels that a finger may move meanwhile

const UP_WORDS = {
  sending: "sent up",
  sent: "sent up",
  refused: "refused",
  unconfirmed: "not confirmed",
};

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

/**
 * The handlers of an element whose menu a finger opens that stays: not every phone has an event for
 * it. It opens when the finger is lifted, since that would shut a menu which is open by then.
 */
function longPress(call) {
  let began = null;
  return {
    onPointerDown(event) {
      const isOurs = event.pointerType === "touch" && !event.target.closest("a, button, audio");
      began = isOurs ? event : null;
    },
    onPointerCancel() {
      began = null;
    },
    onPointerUp({ timeStamp, clientX: x, clientY: y }) {
      if (!began) return;
      const moved = Math.hypot(x - began.clientX, y - began.clientY);
      if (timeStamp - began.timeStamp >= PRESS_MS && moved < PRESS_SLACK) setTimeout(call, 0, { x, y });
      began = null;
    },
  };
}

/**
 * `people` and `me` are the state's; `onMenu(message, at)` opens its menu; `isLast`: its button is the
 * one that Tab leads to.
 */
export function Message({ people, me, message, isLast, onMenu }) {
  const { direction, sender, recipients: ids, subtype, status, reason } = message;
  const known = { people, me };
  const person = people.get(sender);
  const isUp = direction === "up";
  const isOwn = sender === me?.userId;
  const name = isUp ? "You" : nameOf(known, sender);
  const toService = isUp && ids.length === 0;
  const to = toService ? "the Service" : String(ids.length);
  const names = namesOf(known, ids, NAMES_SHOWN);
  const fate = isUp ? UP_WORDS[status] : "";
  const kinds = ["message", isUp ? "up" : "down", isOwn && "own", status].filter(Boolean);
  const open = ({ x, y }) => onMenu(message, { x: x - 4, y: y - 4 });
  const press = useMemo(() => longPress(open), [message, onMenu]);
  const onContextMenu = (event) => {
    // Shift, and a marked text, keep the browser's own menu.
    if (event.shiftKey || String(getSelection())) return;
    event.preventDefault();
    press.onPointerCancel(); // or it would open a second time
    open({ x: event.clientX, y: event.clientY });
  };
  return html`<article
    class=${kinds.join(" ")}
    aria-label=${[`${name} to ${to}`, subtype, fate].filter(Boolean).join(", ")}
    onContextMenu=${onContextMenu}
    ...${press}
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

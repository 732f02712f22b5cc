// The messages: what the service sent this user, and what this user sent up, marked as such.

import { currentBand, currentRoom, nameOf } from "../select.js";
import { useLayoutEffect, useMemo, useRef } from "../vendor/hooks.js";
import { Avatar } from "./avatar.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Address, Picture } from "./picture.js";

const NAMES_SHOWN = 30;
const LONG_TEXT = 4000;
const NEAR_END = 60; // pixels

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
  const short = time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return html`<time datetime=${time.toISOString()} title=${time.toLocaleString()}>${short}</time>`;
}

function Content({ message, name }) {
  const { text, path } = message.content;
  const isPicture = message.subtype === "image";
  return html`<div class=${text.length > LONG_TEXT ? "bubble long" : "bubble"}>
    ${path && isPicture && html`<${Picture} path=${path} label=${`Picture from ${name}`} />`}
    ${path && !isPicture && html`<${Address} path=${path} />`}
    ${text && html`<p>${text}</p>`}
    ${!text && !path && html`<p class="muted">(empty)</p>`}
  </div>`;
}

function Message({ state, message }) {
  const { direction, sender, recipients: ids, subtype, status, reason } = message;
  const isUp = direction === "up";
  const isOwn = sender === state.me?.userId;
  const name = isUp ? "You" : nameOf(state, sender);
  const toService = isUp && ids.length === 0;
  const to = toService ? "the Service" : String(ids.length);
  const names = recipientNames(state, ids);
  const fate = isUp ? UP_WORDS[status] : "";
  const kinds = ["message", isUp ? "up" : "down", isOwn && "own", status].filter(Boolean);
  return html`<article
    class=${kinds.join(" ")}
    aria-label=${[`${name} to ${to}`, subtype, fate].filter(Boolean).join(", ")}
  >
    ${!isUp &&
    html`<${Avatar} id=${sender} name=${name} picture=${state.people.get(sender)?.avatar} />`}
    <div class="said">
      <p class="meta">
        <strong>${name}</strong>${" "}
        <span title=${names} aria-hidden="true">→ ${toService ? "Service (∞)" : to}</span>
        ${names && html`<span class="hidden"> to ${names}</span>`}
        <span> · ${subtype}</span>
        ${message.timestamp > 0 && html`<span> · <${Time} timestamp=${message.timestamp} /></span>`}
        ${isUp &&
        html`<span class="fate"><${Icon} name="up" />${fate}${status === "refused" && reason && `: ${reason}`}</span>`}
      </p>
      <${Content} message=${message} name=${name} />
    </div>
  </article>`;
}

function Empty({ state }) {
  const band = currentBand(state);
  if (!band || currentRoom(state).membership === "unknown") return html`<p class="empty">Opening…</p>`;
  if (!band.serviceName)
    return html`<p class="empty">
      No service is bound to this band yet. What you write is kept; nobody answers.
    </p>`;
  return html`<p class="empty">
    ${band.online
      ? "Nothing has been said yet."
      : "The service is offline. Keys and list come when it connects."}
  </p>`;
}

export function Messages({ state }) {
  const box = useRef(null);
  const atEnd = useRef(true);
  const lastTop = useRef(0);
  const { messages } = currentRoom(state);
  const toEnd = () => {
    if (atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  };
  useLayoutEffect(toEnd, [messages]);
  useLayoutEffect(() => {
    // Pictures that arrive late and a stage that folds change the height as well.
    const watch = new ResizeObserver(toEnd);
    watch.observe(box.current);
    watch.observe(box.current.firstElementChild);
    return () => watch.disconnect();
  }, []);
  const rows = useMemo(
    () =>
      messages.map(
        (message) => html`<${Message} key=${message.id} state=${state} message=${message} />`,
      ),
    [messages, state.people, state.me],
  );
  const onScroll = ({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
    // Only going up is leaving the end: the end itself may have moved since toEnd scrolled there.
    if (scrollHeight - scrollTop - clientHeight < NEAR_END) atEnd.current = true;
    else if (scrollTop < lastTop.current) atEnd.current = false;
    lastTop.current = scrollTop;
  };
  return html`<div
    class="messages"
    role="log"
    aria-label="Messages"
    aria-live="polite"
    aria-busy=${String(currentRoom(state).membership === "unknown")}
    tabindex="0"
    ref=${box}
    onScroll=${onScroll}
  >
    <div class="rows">${rows.length ? rows : html`<${Empty} state=${state} />`}</div>
  </div>`;
}

// The messages of a band, kept at their end while nobody reads further up, and their menu.

import { currentBand, currentRoom, nameOf, noReplyReason } from "../select.js";
import { useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
import { focusWriting } from "./composer.js";
import { html } from "./html.js";
import { Menu, neighbour } from "./menu.js";
import { Message } from "./message.js";

const NEAR_END = 60; // pixels

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

const dayOf = ({ timestamp }) => (timestamp ? new Date(timestamp).toDateString() : "");

/** A line between messages of different days; today's alone need none. */
function Day({ message, before }) {
  const day = dayOf(message);
  const since = before ? dayOf(before) : new Date().toDateString();
  if (!day || day === since) return null;
  const options = { weekday: "long", day: "numeric", month: "long" };
  return html`<p class="day">${new Date(message.timestamp).toLocaleDateString([], options)}</p>`;
}

function MessageMenu({ state, link, message, at, onClose }) {
  const { sender, content, direction, frame } = message;
  const reply = () => {
    link.dispatch({ kind: "reply_picked", userId: sender });
    focusWriting();
  };
  const items = [
    {
      label: "Copy text",
      icon: "copy",
      reason: content.text || content.path ? "" : "It holds no text.",
      onPick: () => link.copy(content.text || content.path, "Text"),
    },
    {
      label: "Copy as JSON",
      icon: "braces",
      reason: "",
      onPick: () => link.copy(JSON.stringify(frame, null, 2), "JSON"),
    },
  ];
  if (direction === "down")
    items.unshift({
      label: `Reply to ${nameOf(state, sender)}`,
      icon: "reply",
      reason: noReplyReason(state, sender),
      onPick: reply,
    });
  return html`<${Menu} label="Message menu" items=${items} at=${at} onClose=${onClose} />`;
}

/** Keeps the end of a scrolled box in view, except while its reader has gone up. */
function useEnd(changes) {
  const box = useRef(null);
  const atEnd = useRef(true);
  const lastTop = useRef(0);
  const toEnd = () => {
    if (atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  };
  useLayoutEffect(toEnd, changes);
  useLayoutEffect(() => {
    // Pictures that arrive late and a stage that folds change the height as well.
    const watch = new ResizeObserver(toEnd);
    watch.observe(box.current);
    watch.observe(box.current.firstElementChild);
    return () => watch.disconnect();
  }, []);
  const onScroll = ({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
    // Only going up is leaving the end: the end itself may have moved since toEnd scrolled there.
    if (scrollHeight - scrollTop - clientHeight < NEAR_END) atEnd.current = true;
    else if (scrollTop < lastTop.current) atEnd.current = false;
    lastTop.current = scrollTop;
  };
  return { box, onScroll };
}

export function Messages({ state, link }) {
  const [menu, setMenu] = useState(null);
  const { messages, membership } = currentRoom(state);
  const { box, onScroll } = useEnd([messages]);
  const rows = useMemo(() => {
    const onMenu = (message, at) => setMenu({ message, at });
    return messages.map(
      (message, index) => html`
        <${Day} key=${`day ${message.id}`} message=${message} before=${messages[index - 1]} />
        <${Message}
          key=${message.id}
          state=${state}
          message=${message}
          isLast=${index === messages.length - 1}
          onMenu=${onMenu}
        />
      `,
    );
  }, [messages, state.people, state.me]);
  const onKeyDown = (event) => {
    // Tab leads to the menu of the newest message, the arrows from there to the others.
    if (!event.target.classList.contains("more")) return;
    const next = neighbour(box.current.querySelectorAll(".more"), event.key);
    if (!next) return;
    event.preventDefault();
    next.focus();
  };
  return html`<div
      class="messages"
      role="log"
      aria-label="Messages"
      aria-live="polite"
      aria-busy=${String(membership === "unknown")}
      tabindex="0"
      ref=${box}
      onScroll=${onScroll}
      onKeyDown=${onKeyDown}
    >
      <div class="rows">${rows.length ? rows : html`<${Empty} state=${state} />`}</div>
    </div>
    ${menu &&
    html`<${MessageMenu}
      key=${menu.message.id}
      state=${state}
      link=${link}
      message=${menu.message}
      at=${menu.at}
      onClose=${() => setMenu(null)}
    />`}`;
}

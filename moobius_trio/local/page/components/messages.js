// The messages of a band, kept at their end while nobody reads further up, and their menu.

import { closedReason, currentBand, currentRoom, menuFor, nameOf, needsForm, noReplyReason } from "../select.js";
import { useCallback, useLayoutEffect, useRef, useState } from "../vendor/hooks.js";
import { focusWriting } from "./composer.js";
import { html } from "./html.js";
import { memo } from "./memo.js";
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

/** A message with the line above it. Most rows are the same after an event, and are not drawn again. */
const Row = memo(({ before, ...rest }) => html`
  <${Day} message=${rest.message} before=${before} />
  <${Message} ...${rest} />
`);

function Older({ older, onAsk, box }) {
  const asked = useRef(false);
  useLayoutEffect(() => {
    // The button that was pressed has gone: its focus goes to what it was for.
    if (older === "none" && asked.current && document.activeElement === document.body)
      box.current.focus({ preventScroll: true });
  }, [older]);
  if (older === "none") return null;
  const onClick = () => {
    asked.current = true;
    onAsk();
  };
  return html`<p class="older">
    <button type="button" aria-disabled=${String(older === "coming")} onClick=${onClick}>
      ${older === "coming" ? "Loading…" : "Older messages"}
    </button>
  </p>`;
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
  const closed = closedReason(state);
  const added = menuFor(currentRoom(state), message).map((item) => ({
    label: needsForm(item) ? `${item.label} …` : item.label,
    reason: closed,
    onPick: () => link.choose(item, message),
  }));
  if (added.length > 0) items.push(null, ...added);
  return html`<${Menu} label="Message menu" items=${items} at=${at} onClose=${onClose} />`;
}

/**
 * Keeps the end of a scrolled box in view; while its reader has gone up, what they read, also when
 * older messages come above it.
 */
function useEnd(messages) {
  const box = useRef(null);
  const atEnd = useRef(true);
  const last = useRef({ top: 0, toEnd: 0, first: null });
  const toEnd = () => {
    if (atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  };
  useLayoutEffect(() => {
    const { first, toEnd: distance } = last.current;
    const [now] = messages;
    const grewAbove = first !== null && now?.id !== first && messages.some(({ id }) => id === first);
    if (grewAbove) box.current.scrollTop = box.current.scrollHeight - distance;
    else toEnd();
    last.current.first = now?.id ?? null;
  }, [messages]);
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
    else if (scrollTop < last.current.top) atEnd.current = false;
    last.current.top = scrollTop;
    last.current.toEnd = scrollHeight - scrollTop;
  };
  return { box, onScroll };
}

export function Messages({ state, link }) {
  const [menu, setMenu] = useState(null);
  const { messages, membership, older } = currentRoom(state);
  const { box, onScroll } = useEnd(messages);
  const onMenu = useCallback((message, at) => setMenu({ message, at }), []);
  const rows = messages.map(
    (message, index) => html`<${Row}
      key=${message.id}
      people=${state.people}
      me=${state.me}
      message=${message}
      before=${messages[index - 1]}
      isLast=${index === messages.length - 1}
      onMenu=${onMenu}
    />`,
  );
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
      <div class="rows">
        <${Older} older=${older} onAsk=${() => link.older()} box=${box} />
        ${rows.length ? rows : html`<${Empty} state=${state} />`}
      </div>
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

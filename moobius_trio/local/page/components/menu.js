// A short menu at a place of the screen: a native popover, so that Escape, a click elsewhere and the
// way back of the focus are the browser's; the arrow keys are ours.

import { useLayoutEffect, useRef } from "../vendor/hooks.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";

const EDGE = 6; // pixels kept free to the edge of the window

/** Where a menu for this element goes: below it, as `at`. */
export function below(element) {
  const { left, bottom } = element.getBoundingClientRect();
  return { x: left, y: bottom + 4 };
}

function place(box, { x, y }) {
  const { width, height } = box.getBoundingClientRect();
  box.style.left = `${Math.max(EDGE, Math.min(x, innerWidth - width - EDGE))}px`;
  box.style.top = `${Math.max(EDGE, Math.min(y, innerHeight - height - EDGE))}px`;
}

const STEPS = { ArrowDown: 1, ArrowUp: -1 };

/** The element of a list that an arrow key leads to; null for another key or at no element. */
export function neighbour(elements, key) {
  const all = [...elements];
  const at = all.indexOf(document.activeElement);
  if (key === "Home") return all[0];
  if (key === "End") return all.at(-1);
  return key in STEPS && at >= 0 ? all.at((at + STEPS[key]) % all.length) : null;
}

/**
 * `items`: { label, icon, onPick, reason } each, null for a line between two; with a `reason` an item
 * is there and cannot be picked.
 */
export function Menu({ label, items, at, onClose }) {
  const box = useRef(null);
  useLayoutEffect(() => {
    box.current.showPopover();
    place(box.current, at);
    box.current.querySelector("button:not([aria-disabled=true])")?.focus();
  }, []);
  const onKeyDown = (event) => {
    const next = neighbour(box.current.querySelectorAll("button"), event.key);
    if (event.key === "Tab") box.current.hidePopover();
    if (!next) return;
    event.preventDefault();
    next.focus();
  };
  const pick = ({ reason, onPick }) => {
    if (reason) return;
    box.current.hidePopover();
    onPick();
  };
  return html`<div
    ref=${box}
    class="menu"
    popover="auto"
    role="menu"
    aria-label=${label}
    onKeyDown=${onKeyDown}
    onToggle=${(event) => event.newState === "closed" && onClose()}
  >
    ${items.map((item) =>
      item === null
        ? html`<hr />`
        : html`<button
            type="button"
            role="menuitem"
            aria-disabled=${item.reason ? "true" : undefined}
            title=${item.reason}
            onClick=${() => pick(item)}
          >
            <span class="icon">${item.icon && html`<${Icon} name=${item.icon} />`}</span>
            <bdi>${item.label}</bdi>
          </button>`,
    )}
  </div>`;
}

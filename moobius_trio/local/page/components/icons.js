// Line icons, drawn here so that none depends on a font. They are decoration: the control that
// holds one has its own label.

import { html } from "./html.js";

const PATHS = {
  picture: "M4 5h16v14H4zM4 16l4.5-4.5 4 4 2.5-2.5L20 18M15.5 9.5h.01",
  away: "M8 8h8v8M16 8L7 17",
  up: "M12 19V5M6 11l6-6 6 6",
  plus: "M12 5v14M5 12h14",
  send: "M5 12h14M13 6l6 6-6 6",
  warning: "M12 9v4M12 16.5h.01M10.4 4.3L3 17.5A1.8 1.8 0 0 0 4.6 20h14.8a1.8 1.8 0 0 0 1.6-2.5L13.6 4.3a1.8 1.8 0 0 0-3.2 0z",
  open: "M6 9l6 6 6-6",
  shut: "M6 15l6-6 6 6",
};

export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d=${PATHS[name]} />
  </svg>`;
}

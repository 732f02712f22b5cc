// Line icons, drawn here so that none depends on a font. They are decoration: the control that
// holds one has its own label.

import { html } from "./html.js";

const PATHS = {
  attach: "M19 11.5l-7.6 7.6a4.6 4.6 0 0 1-6.5-6.5l8-8a3.1 3.1 0 0 1 4.4 4.4l-7.9 7.9a1.5 1.5 0 0 1-2.2-2.2l7.1-7",
  braces: "M9 4.5c-2.4 0-3 1-3 2.8v2.2c0 1.5-.8 2.5-2 2.5 1.2 0 2 1 2 2.5v2.2c0 1.8.6 2.8 3 2.8M15 4.5c2.4 0 3 1 3 2.8v2.2c0 1.5.8 2.5 2 2.5-1.2 0-2 1-2 2.5v2.2c0 1.8-.6 2.8-3 2.8",
  copy: "M9 9h11v11H9zM5.5 15H4V4h11v1.5",
  cross: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  file: "M7 3.5h7l4.5 4.5v12.5H7zM14 3.5V8h4.5",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  pen: "M4.5 19.5l1-4L16.2 4.8a1.6 1.6 0 0 1 2.3 0l.7.7a1.6 1.6 0 0 1 0 2.3L8.5 18.5z",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5c.8-4 3.8-6 7.5-6s6.700 2 7.5 6",
  people: "M9 11.500a3.300 3.300 0 1 0 0-6.600 3.300 3.300 0 0 0 0 6.600zM2.500 19c.700-3.300 3.300-5 6.500-5s5.800 1.700 6.500 5M15.500 5.200a3.300 3.300 0 0 1 0 6.200M18 14.500c1.800.700 3 2.200 3.500 4.500",
  reply: "M9.500 6.500L4 12l5.500 5.500M4.500 12H14c3.500 0 6 2 6 6",
  away: "M8 8h8v8M16 8L7 17",
  up: "M12 19V5M6 11l6-6 6 6",
  plus: "M12 5v14M5 12h14",
  send: "M5 12h14M13 6l6 6-6 6",
  warning: "M12 9v4M12 16.5h.01M10.4 4.3L3 17.5A1.8 1.8 0 0 0 4.6 20h14.8a1.8 1.8 0 0 0 1.6-2.5L13.6 4.3a1.8 1.8 0 0 0-3.2 0z",
  down: "M12 5v14M6 13l6 6 6-6",
  pause: "M9 5v14M15 5v14",
  play: "M8 5.5v13l10-6.5z",
  clear: "M5 7h14M10 7V4.5h4V7M7 7l1 12.5h8L17 7",
  code: "M9 7l-5 5 5 5M15 7l5 5-5 5",
  test: "M9 4h6v3H9zM9 5.5H5.5v14.5h13V5.5H15M9 13.5l2.2 2.2 4-4.2",
  close: "M6 6l12 12M18 6L6 18",
  tools: "M4 5h16v14H4zM14.5 5v14",
  open: "M6 9l6 6 6-6",
  shut: "M6 15l6-6 6 6",
};

export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d=${PATHS[name]} />
  </svg>`;
}

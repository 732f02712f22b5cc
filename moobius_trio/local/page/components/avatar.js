// A person's picture if this platform keeps it, else the initial on a colour of their own.

import { addressKind } from "../select.js";
import { html } from "./html.js";

const COLOURS = 12;
const FACTOR = 111; // with it the guests that the page itself offers have a colour each

function colourOf(username) {
  let sum = 0;
  for (const letter of username.toLowerCase()) sum = (sum * FACTOR + letter.codePointAt(0)) % 9973;
  return sum % COLOURS;
}

/** The name is said beside it, so that the picture is decoration. */
export function Avatar({ username, name, picture }) {
  const { own } = addressKind(picture ?? "", location.origin);
  if (own) return html`<img class="avatar" src=${own} alt="" />`;
  const initial = [...name.trim()][0] ?? "?";
  return html`<span class=${`avatar colour-${colourOf(username)}`} aria-hidden="true">
    ${initial.toUpperCase()}
  </span>`;
}

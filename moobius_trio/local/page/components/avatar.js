// A person's picture if this platform keeps it, else the initial on a colour of their own.

import { addressKind } from "../select.js";
import { html } from "./html.js";

const COLOURS = 12;

function colourOf(id) {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  return sum % COLOURS;
}

/** `id` gives the colour; the name is said beside it, so that the picture is decoration. */
export function Avatar({ id, name, picture }) {
  const { own } = addressKind(picture ?? "", location.origin);
  if (own) return html`<img class="avatar" src=${own} alt="" />`;
  const initial = [...name.trim()][0] ?? "?";
  return html`<span class=${`avatar colour-${colourOf(id)}`} aria-hidden="true">
    ${initial.toUpperCase()}
  </span>`;
}

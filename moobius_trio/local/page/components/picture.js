// What an address in a message or on the stage is shown as: a picture of this platform, or text
// with a link. Nothing is loaded from another machine.

import { addressKind } from "../select.js";
import { html } from "./html.js";

export function Picture({ path, label }) {
  const { own } = addressKind(path, location.origin);
  if (!own) return html`<${Address} path=${path} />`;
  return html`<img class="picture" src=${own} alt=${label} />`;
}

export function Address({ path }) {
  const { own, link } = addressKind(path, location.origin);
  return html`<span class="address">
    <span class="path">${path}</span>
    ${(own || link) &&
    html`<a href=${own || link} target="_blank" rel="noreferrer" aria-label=${`Open ${path}`}>
      Open
    </a>`}
  </span>`;
}

// The stage: a picture, a text (Markdown), or both; or several such items, one below the other. The
// service shows, hides, marks and folds it; the user may fold it as well.

import { currentRoom } from "../select.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Markdown } from "./markdown.js";
import { Picture } from "./picture.js";

function Item({ item: { path, text }, label }) {
  return html`<figure aria-label=${label}>
    ${path && html`<${Picture} path=${path} label="Picture on the stage" />`}
    ${text && html`<figcaption><${Markdown} text=${text} /></figcaption>`}
  </figure>`;
}

export function Stage({ state, link }) {
  const { stage, stageVisible, stageOpen, stageMark } = currentRoom(state);
  const count = stage.length;
  if (!stageVisible || count === 0) return null;
  const label = stageOpen ? "Collapse stage" : "Expand stage";
  return html`<section class=${stageMark.highlight ? "stage highlight" : "stage"} aria-label="Stage">
    ${stageMark.text && html`<p class="note">${stageMark.text}</p>`}
    ${stageOpen
      ? html`<div class="items" tabindex="0" role="group" aria-label="On the stage">
          ${stage.map(
            (item, index) =>
              html`<${Item} item=${item} label=${count > 1 ? `${index + 1} of ${count}` : undefined} />`,
          )}
        </div>`
      : html`<p class="muted folded">Stage</p>`}
    ${stageOpen && count > 1 && html`<p class="muted count">${count} items</p>`}
    <button
      type="button"
      class="small quiet fold"
      aria-label=${label}
      title=${label}
      aria-expanded=${String(stageOpen)}
      onClick=${() => link.dispatch({ kind: "stage_toggled" })}
    >
      <${Icon} name=${stageOpen ? "shut" : "open"} />
    </button>
  </section>`;
}

// The stage: one picture, one text (Markdown), or both. The service shows, hides and folds it; the user
// may fold it as well.

import { currentRoom } from "../select.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Markdown } from "./markdown.js";
import { Picture } from "./picture.js";

export function Stage({ state, link }) {
  const { stage, stageVisible, stageOpen } = currentRoom(state);
  if (!stageVisible || !stage || !(stage.path || stage.text)) return null;
  const label = stageOpen ? "Collapse stage" : "Expand stage";
  return html`<section class="stage" aria-label="Stage">
    ${stageOpen
      ? html`<figure tabindex="0" aria-label="On the stage">
          ${stage.path && html`<${Picture} path=${stage.path} label="Picture on the stage" />`}
          ${stage.text && html`<figcaption><${Markdown} text=${stage.text} /></figcaption>`}
        </figure>`
      : html`<p class="muted folded">Stage</p>`}
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

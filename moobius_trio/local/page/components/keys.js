// The row of keys that the service gave this user.

import { closedReason, currentRoom, needsForm } from "../select.js";
import { html } from "./html.js";

export function Keys({ state, link }) {
  const { features } = currentRoom(state);
  if (features.length === 0) return null;
  const closed = closedReason(state);
  return html`<div class="keys" role="group" aria-label="Keys">
    ${features.map((feature, index) => {
      const opensForm = needsForm(feature);
      return html`<button
        key=${`${feature.featureId} ${index}`}
        type="button"
        disabled=${closed !== ""}
        title=${closed}
        aria-haspopup=${opensForm ? "dialog" : undefined}
        onClick=${() => link.press(feature)}
      >
        ${feature.buttonText}${opensForm && html`<span aria-hidden="true"> …</span>`}
      </button>`;
    })}
  </div>`;
}

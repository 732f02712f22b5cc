// The row of keys that the service gave this user, in the style that it gave them.

import { closedReason, currentRoom, keyStyle, needsForm } from "../select.js";
import { html } from "./html.js";

function Key({ feature, look, closed, onPress }) {
  const opensForm = needsForm(feature);
  return html`<button
    type="button"
    class=${look.highlight ? "highlight" : ""}
    disabled=${closed !== ""}
    title=${closed}
    aria-haspopup=${opensForm ? "dialog" : undefined}
    onClick=${onPress}
  >
    ${feature.label}${opensForm && html`<span aria-hidden="true"> …</span>`}
    ${look.text && html`${" "}<span class="note">${look.text}</span>`}
  </button>`;
}

export function Keys({ state, link }) {
  const room = currentRoom(state);
  const shown = room.features
    .map((feature, index) => ({ feature, index, look: keyStyle(room, feature) }))
    .filter(({ look }) => look.visible);
  if (shown.length === 0) return null;
  const closed = closedReason(state);
  return html`<div class="keys" role="group" aria-label="Keys">
    ${shown.map(
      ({ feature, index, look }) => html`<${Key}
        key=${`${feature.featureId} ${index}`}
        feature=${feature}
        look=${look}
        closed=${closed}
        onPress=${() => link.press(feature)}
      />`,
    )}
  </div>`;
}

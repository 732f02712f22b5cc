// The character list, exactly as the service sent it to this user: its order, its people. Who is
// clicked is added to the recipients. Beneath it the groups, and the way to the service's agents.

import { closedReason, currentBand, currentRoom } from "../select.js";
import { Avatar } from "./avatar.js";
import { Groups } from "./groups.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";

function Character({ state, link, character }) {
  const { userId, nickname, username, avatar } = character;
  const { to } = currentRoom(state);
  const isPicked = to.kind === "picked" && to.ids.includes(userId);
  const isPuppet = state.kinds.get(userId) === "puppet";
  return html`<li>
    <button
      type="button"
      class="quiet character"
      aria-label=${`Write to ${nickname}`}
      aria-pressed=${String(isPicked)}
      title=${closedReason(state) || (isPicked ? "Remove from the recipients" : "Add to the recipients")}
      disabled=${closedReason(state) !== ""}
      onClick=${() => link.dispatch({ kind: "character_picked", userId })}
    >
      <${Avatar} username=${username} name=${nickname} picture=${avatar} />
      <span class="names">
        <span class="nickname">
          <bdi>${nickname}</bdi>${userId === state.me?.userId && html`${" "}<span class="tag">you</span>`}
        </span>
        <span class="username">
          ${isPuppet && html`<span class="tag puppet">puppet</span>${" "}`}<bdi>${username}</bdi>
        </span>
      </span>
    </button>
  </li>`;
}

export function People({ state, link }) {
  const { characters, membership } = currentRoom(state);
  return html`<aside aria-label="Characters">
    <h2>Characters ${characters && html`<span class="badge">${characters.length}</span>`}</h2>
    ${characters
      ? html`<ul>
          ${characters.map(
            (character, index) =>
              html`<${Character}
                key=${`${character.userId} ${index}`}
                state=${state}
                link=${link}
                character=${character}
              />`,
          )}
        </ul>`
      : html`<p class="muted">
          ${membership === "left" ? "You have left." : "No list has come yet."}
        </p>`}
    <${Groups} state=${state} link=${link} />
    ${currentBand(state)?.serviceName &&
    html`<button type="button" class="quiet agents-button" aria-haspopup="dialog" onClick=${() => link.agents()}>
      <${Icon} name="person" />Agents
    </button>`}
  </aside>`;
}

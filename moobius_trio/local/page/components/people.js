// The character list, exactly as the service sent it to this user: its order, its people.

import { currentRoom } from "../select.js";
import { Avatar } from "./avatar.js";
import { html } from "./html.js";

function Character({ character, isMe }) {
  const { userId, nickname, username, avatar } = character;
  return html`<li>
    <${Avatar} id=${userId} name=${nickname} picture=${avatar} />
    <span class="names">
      <span class="nickname">
        <span>${nickname}</span>${isMe && html`${" "}<span class="tag">you</span>`}
      </span>
      <span class="username">${username}</span>
    </span>
  </li>`;
}

export function People({ state }) {
  const { characters, membership } = currentRoom(state);
  return html`<aside aria-label="Characters">
    <h2>Characters ${characters && html`<span class="badge">${characters.length}</span>`}</h2>
    ${characters
      ? html`<ul>
          ${characters.map(
            (character, index) =>
              html`<${Character}
                key=${`${character.userId} ${index}`}
                character=${character}
                isMe=${character.userId === state.me?.userId}
              />`,
          )}
        </ul>`
      : html`<p class="muted">
          ${membership === "left" ? "You have left." : "No list has come yet."}
        </p>`}
  </aside>`;
}

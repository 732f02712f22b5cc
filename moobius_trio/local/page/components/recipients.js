// Whom the next message goes to: all, the Service, characters one by one, or those of a named group.

import { closedReason, currentRoom, namesOf, noListReason, recipients } from "../select.js";
import { useState } from "../vendor/hooks.js";
import { Avatar } from "./avatar.js";
import { GroupDialog } from "./groups.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";

const NAMES_SHOWN = 30;

function Chip({ label, title, pressed, disabled, onPick, children }) {
  return html`<button
    type="button"
    class="chip"
    aria-pressed=${String(pressed)}
    disabled=${disabled}
    title=${title}
    onClick=${onPick}
  >
    ${children}<bdi>${label}</bdi>
  </button>`;
}

export function Recipients({ state, link }) {
  const { characters, groups, to } = currentRoom(state);
  const [makesGroup, setMakesGroup] = useState(false);
  const { label, reason } = recipients(state);
  const noList = noListReason(state);
  const pick = (kind, userId) => () => link.dispatch({ kind, userId });
  return html`<div class="recipients">
    <div class="chips" role="group" aria-label="Recipients" aria-describedby="goes-to">
      <span class="to" aria-hidden="true">To:</span>
      <${Chip}
        label="All"
        pressed=${to.kind === "all"}
        disabled=${noList !== ""}
        title=${noList}
        onPick=${pick("all_picked")}
      />
      <${Chip} label="Service (∞)" pressed=${to.kind === "service"} onPick=${pick("service_picked")} />
      ${(characters ?? []).map(
        ({ userId, nickname, username, avatar }, index) => html`<${Chip}
          key=${`${userId} ${index}`}
          label=${nickname}
          title=${username}
          pressed=${to.kind === "picked" && to.ids.includes(userId)}
          onPick=${pick("character_picked", userId)}
        >
          <${Avatar} username=${username} name=${nickname} picture=${avatar} />
        <//>`,
      )}
      ${groups.map(
        ({ groupId, name, members }) => html`<${Chip}
          key=${`group ${groupId}`}
          label=${name}
          title=${namesOf(state, members, NAMES_SHOWN)}
          pressed=${to.kind === "group" && to.groupId === groupId}
          disabled=${noList !== ""}
          onPick=${() => link.dispatch({ kind: "group_picked", groupId })}
        >
          <${Icon} name="people" />
        <//>`,
      )}
      ${characters?.length > 0 &&
      html`<button
        type="button"
        class="chip quiet"
        title="Keep several recipients under a name"
        aria-haspopup="dialog"
        disabled=${closedReason(state) !== ""}
        onClick=${() => setMakesGroup(true)}
      >
        <${Icon} name="plus" />New group
      </button>`}
    </div>
    <p class="hint" id="goes-to" role="status" aria-label="Goes to">
      ${closedReason(state) || noList || reason || label}
    </p>
      ${makesGroup &&
    characters &&
    html`<${GroupDialog} state=${state} link=${link} onClose=${() => setMakesGroup(false)} />`}
  </div>`;
}

// Named groups of recipients: the list with who is in each, and the dialog that makes one.

import { closedReason, currentRoom, namesOf, toggled } from "../select.js";
import { useState } from "../vendor/hooks.js";
import { Dialog } from "./dialogs.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";

const NAMES_SHOWN = 12;

export function Groups({ state, link }) {
  const { groups, to } = currentRoom(state);
  if (groups.length === 0) return null;
  return html`<section aria-label="Groups">
    <h2>Groups <span class="badge">${groups.length}</span></h2>
    <ul>
      ${groups.map(
        ({ groupId, name, members }) => html`<li key=${groupId}>
          <button
            type="button"
            class="quiet character"
            aria-label=${`Write to group ${name}`}
            aria-pressed=${String(to.kind === "group" && to.groupId === groupId)}
            disabled=${closedReason(state) !== ""}
            onClick=${() => link.dispatch({ kind: "group_picked", groupId })}
          >
            <span class="avatar"><${Icon} name="people" /></span>
            <span class="names">
              <span class="nickname"><bdi>${name}</bdi></span>
              <span class="username members">${namesOf(state, members, NAMES_SHOWN)}</span>
            </span>
          </button>
        </li>`,
      )}
    </ul>
  </section>`;
}

/** Those who are picked now are in it at first; nobody cannot be. */
export function GroupDialog({ state, link, onClose }) {
  const { characters, to } = currentRoom(state);
  const [members, setMembers] = useState(to.kind === "service" ? [] : to.ids);
  const submit = (form) => {
    // In the order of the list, each once.
    const listed = characters.map(({ userId }) => userId).filter((id) => members.includes(id));
    link.makeGroup(new FormData(form).get("name").trim(), [...new Set(listed)]);
  };
  return html`<${Dialog} title="New group" action="Make" onSubmit=${submit} onClose=${onClose}>
    <p class="field">
      <label for="group-name">Name</label>
      <input
        id="group-name"
        name="name"
        type="text"
        autocomplete="off"
        maxlength="60"
        required
        pattern=".*\\S.*"
      />
    </p>
    <fieldset>
      <legend>Members</legend>
      ${characters.map(
        ({ userId, nickname }, index) => html`<label class="check" key=${`${userId} ${index}`}>
          <input
            type="checkbox"
            checked=${members.includes(userId)}
            required=${members.length === 0}
            onChange=${() => setMembers(toggled(members, userId))}
          />
          <bdi>${nickname}</bdi>
        </label>`,
      )}
    </fieldset>
  <//>`;
}

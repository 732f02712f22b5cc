// Who this tab is, and the way to other people: each tab of the page is one user.

import { addressOf, currentBand, currentRoom, nextGuest } from "../select.js";
import { useState } from "../vendor/hooks.js";
import { Avatar } from "./avatar.js";
import { NameDialog } from "./dialogs.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Menu, below } from "./menu.js";

function AnotherUser({ state, link }) {
  const name = nextGuest(state);
  // Later, because the next name would be in the link before the browser has followed it.
  const onClick = () => setTimeout(() => link.dispatch({ kind: "another_opened", name }));
  return html`<a
    class="button"
    href=${addressOf(name, currentBand(state)?.name)}
    target="_blank"
    rel="noreferrer"
    aria-label="Open another user"
    title=${`Opens ${name} in a new tab. Any name will do: change as= in the address.`}
    onClick=${onClick}
  >
    <span class="wide">Open another user</span><${Icon} name="away" />
  </a>`;
}

function PersonaDialog({ which, state, link, onClose }) {
  const { nickname } = state.me;
  if (which === "rename")
    return html`<${NameDialog}
      title="Change nickname"
      label="Nickname"
      action="Rename"
      value=${nickname}
      onName=${(name) => link.rename(name)}
      onClose=${onClose}
    />`;
  return html`<${NameDialog}
    title="New user"
    label="Name"
    action="Open"
    hint="Opens in a new tab. The same name is always the same user."
    onName=${(name) => link.openUser(name)}
    onClose=${onClose}
  />`;
}

export function Persona({ state, link }) {
  const [menu, setMenu] = useState(null); // where it is open
  const [dialog, setDialog] = useState("");
  const isMember = currentRoom(state).membership === "member";
  const nickname = state.me?.nickname ?? state.name;
  const isRenamed = nickname.toLowerCase() !== state.name.toLowerCase();
  const items = [
    {
      label: "Change nickname…",
      icon: "pen",
      reason: state.builds ? "" : "That is done on the platform's own machine.",
      onPick: () => setDialog("rename"),
    },
    { label: "New user…", icon: "person", onPick: () => setDialog("new") },
  ];
  return html`<div class="who">
    <button
      type="button"
      class="quiet you"
      aria-haspopup="menu"
      aria-expanded=${String(menu !== null)}
      disabled=${!state.me}
      onClick=${({ currentTarget }) => setMenu(below(currentTarget))}
    >
      <${Avatar} username=${state.name} name=${nickname} />
      <span>You are <strong>${state.name}</strong>${isRenamed && html` <bdi>(${nickname})</bdi>`}</span>
      <${Icon} name="open" />
    </button>
    ${menu &&
    html`<${Menu} label="You" items=${items} at=${menu} onClose=${() => setMenu(null)} />`}
    ${dialog &&
    html`<${PersonaDialog}
      which=${dialog}
      state=${state}
      link=${link}
      onClose=${() => setDialog("")}
    />`}
    ${isMember &&
    html`<button type="button" disabled=${state.link !== "up"} onClick=${() => link.leave()}>
      Leave
    </button>`}
    <${AnotherUser} state=${state} link=${link} />
  </div>`;
}

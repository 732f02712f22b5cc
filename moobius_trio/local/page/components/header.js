// The bar at the top: which band, is its service there, who we are, and the way to other users.

import { addressOf, bandOf, currentBand, currentRoom, nextGuest } from "../select.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";

function bandLabel(state, { channelId, name }) {
  const unread = state.rooms.get(channelId)?.unread ?? 0;
  return unread ? `${name} (${unread} new)` : name;
}

function BandChoice({ state, link }) {
  return html`<span class="select band">
    <select
      aria-label="Band"
      value=${state.bandId}
      onChange=${(event) => link.chooseBand(event.currentTarget.value)}
    >
      ${!bandOf(state, state.bandId) && html`<option value=${state.bandId}>…</option>`}
      ${state.bands.map(
        (band) =>
          html`<option key=${band.channelId} value=${band.channelId}>
            ${bandLabel(state, band)}
          </option>`,
      )}
    </select>
  </span>`;
}

function ServiceState({ state }) {
  const band = currentBand(state);
  if (!band || state.link !== "up")
    return html`<p class="service" role="status" aria-label="Service">local platform</p>`;
  const where = band.serviceName
    ? html`service <span class=${band.online ? "dot online" : "dot"} aria-hidden="true" />${" "}
        <span class="service-name">${band.serviceName}</span>${" "}
        <span class=${band.online ? "hidden" : ""}>${band.online ? "online" : "offline"}</span>`
    : "no service yet";
  return html`<p class="service" role="status" aria-label="Service">
    <span class="platform">local platform · </span>${where}
  </p>`;
}

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

export function Header({ state, link, onNewBand }) {
  const band = currentBand(state);
  const isMember = currentRoom(state).membership === "member";
  return html`<header>
    <div class="where">
      <h1 class="hidden">${band?.name ?? "Moobius local platform"}</h1>
      <${BandChoice} state=${state} link=${link} />
      <button type="button" class="small quiet" aria-label="New band" title="New band" onClick=${onNewBand}>
        <${Icon} name="plus" />
      </button>
      <${ServiceState} state=${state} />
    </div>
    <div class="who">
      <p class="you">You are <strong>${state.name}</strong></p>
      ${isMember &&
      html`<button type="button" disabled=${state.link !== "up"} onClick=${() => link.leave()}>
        Leave
      </button>`}
      <${AnotherUser} state=${state} link=${link} />
    </div>
  </header>`;
}

// The bar at the top: which band, is its service there, and who we are.

import { bandOf, bandsByService, currentBand, unreadElsewhere } from "../select.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Persona } from "./persona.js";

function bandLabel(state, { channelId, name }) {
  const unread = state.rooms.get(channelId)?.unread ?? 0;
  return unread ? `${name} (${unread} new)` : name;
}

function Options({ state, bands }) {
  return bands.map(
    (band) =>
      html`<option key=${band.channelId} value=${band.channelId}>${bandLabel(state, band)}</option>`,
  );
}

function BandChoice({ state, link }) {
  const groups = bandsByService(state);
  return html`<span class="select band">
    <select
      aria-label="Band"
      value=${state.bandId}
      onChange=${(event) => link.chooseBand(event.currentTarget.value)}
    >
      ${!bandOf(state, state.bandId) && html`<option value=${state.bandId}>…</option>`}
      ${groups.length === 1
        ? html`<${Options} state=${state} bands=${groups[0].bands} />`
        : groups.map(
            ({ label, bands }) =>
              html`<optgroup key=${label} label=${label}>
                <${Options} state=${state} bands=${bands} />
              </optgroup>`,
          )}
    </select>
  </span>`;
}

/** Bands that something was said in while another one is looked at. */
function Elsewhere({ state, link }) {
  return unreadElsewhere(state).map(
    ({ channelId, name, unread }) => html`<button
      key=${channelId}
      type="button"
      class="chip elsewhere"
      onClick=${() => link.chooseBand(channelId)}
    >
      ${unread} new in ${name}
    </button>`,
  );
}

function ServiceState({ state }) {
  const band = currentBand(state);
  const known = band && state.link === "up";
  const where = known && band.state !== "none";
  return html`<p class="service" role="status" aria-label="Service">
    <span class="platform">local platform${known && " · "}</span>
    ${known && !where && "no service yet"}
    ${where &&
    html`<span class="platform">service </span>
      <span class=${`dot ${band.state}`} aria-hidden="true" />${" "}
      <bdi class="service-name">${band.serviceName}</bdi>${" "}
      <span class=${band.state === "online" ? "hidden" : `word ${band.state}`}>${band.state}</span>`}
  </p>`;
}

export function Header({ state, link, onNewBand }) {
  return html`<header>
    <div class="where">
      <h1 class="hidden">${currentBand(state)?.name ?? "Moobius local platform"}</h1>
      <${BandChoice} state=${state} link=${link} />
      <button type="button" class="small quiet" aria-label="New band" title="New band" onClick=${onNewBand}>
        <${Icon} name="plus" />
      </button>
      <${ServiceState} state=${state} />
      <${Elsewhere} state=${state} link=${link} />
    </div>
    <${Persona} state=${state} link=${link} />
  </header>`;
}

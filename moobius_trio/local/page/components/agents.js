// The characters that the band's service has made, with what it says of them.

import { bandOf } from "../select.js";
import { Avatar } from "./avatar.js";
import { Dialog } from "./dialogs.js";
import { html } from "./html.js";

function Agent({ agent: { userId, name, avatar, description } }) {
  return html`<li>
    <${Avatar} username=${userId} name=${name} picture=${avatar} />
    <span class="names">
      <bdi class="agent-name">${name}</bdi>
      <span class="muted">${description || "Nothing is said of it."}</span>
    </span>
  </li>`;
}

function Rows({ rows, problem }) {
  if (problem) return html`<p class="wrong" role="alert">${problem}</p>`;
  if (rows === null) return html`<p class="muted">One moment…</p>`;
  if (rows.length === 0) return html`<p class="muted">It has made none.</p>`;
  return html`<ul class="agents">
    ${rows.map((agent) => html`<${Agent} key=${agent.userId} agent=${agent} />`)}
  </ul>`;
}

/** `state.agents` says whose list it is. */
export function AgentsDialog({ state, link }) {
  const { channelId, rows, problem } = state.agents;
  const close = (onClose) =>
    html`<button type="button" class="primary" onClick=${onClose}>Close</button>`;
  return html`<${Dialog}
    title=${`Agents of ${bandOf(state, channelId)?.serviceName || "the service"}`}
    actions=${close}
    onSubmit=${() => {}}
    onClose=${() => link.dispatch({ kind: "agents_closed" })}
  >
    <${Rows} rows=${rows} problem=${problem} />
  <//>`;
}

// Time and faults: what can be done to the service and its surroundings while one watches. What the
// platform says it cannot do is there, but cannot be pressed, and says why.

import { currentBand } from "../select.js";
import { aheadOf, stateOf, whyNot } from "../inspect_select.js";
import { useState } from "../vendor/hooks.js";
import { Dialog } from "./dialogs.js";
import { html } from "./html.js";
import { clockToSecond, dayAndClock, dayOfYear } from "./times.js";

const SLOW = [0, 0.2, 1, 5];
const STEPS = [
  [60, "+1 min"],
  [3600, "+1 h"],
];

/** A button that asks the platform for something; `needs` is the word for it in its list. */
function Tool({ panel, needs, label, pressed, onPress }) {
  const reason = whyNot(panel, needs);
  return html`<button
    type="button"
    disabled=${reason !== "" || panel.busy}
    title=${reason}
    aria-pressed=${pressed === undefined ? undefined : String(pressed)}
    onClick=${onPress}
  >
    ${label}
  </button>`;
}

/** Why the tools of this section cannot be used, once for each reason. */
function Reasons({ panel, needs }) {
  const reasons = new Set(needs.map((need) => whyNot(panel, need)).filter(Boolean));
  return [...reasons].map((reason) => html`<p class="hint" key=${reason}>${reason}</p>`);
}

function Service({ state, panel, inspection }) {
  const { text, kind } = stateOf(state.service, currentBand(state));
  const act = (doing, said) => () => inspection.act({ do: doing }, said);
  return html`<section aria-labelledby="tools-service">
    <h3 id="tools-service">Service</h3>
    <p><span class=${`dot ${kind}`} aria-hidden="true" /> ${text}</p>
    <div class="doings">
      <${Tool}
        panel=${panel}
        needs="restart"
        label="Restart"
        onPress=${act("restart", "The restart is over.")}
      />
      <${Tool}
        panel=${panel}
        needs="drop_socket"
        label="Drop socket"
        onPress=${act("drop_socket", "The service's connection has been cut; it connects anew.")}
      />
      <${Tool}
        panel=${panel}
        needs="expire_token"
        label="Expire token"
        onPress=${act("expire_token", "The service's access token is not good any more.")}
      />
    </div>
    <${Reasons} panel=${panel} needs=${["restart", "drop_socket", "expire_token"]} />
  </section>`;
}

function nextTime({ nextAt, running }) {
  if (running) return "runs now";
  const time = new Date(nextAt);
  if (!nextAt || Number.isNaN(time.getTime())) return "not planned";
  const clock = clockToSecond(time);
  const isToday = time.toDateString() === new Date().toDateString();
  return html`<time datetime=${nextAt} title=${dayAndClock(time)}>
    ${isToday ? clock : `${dayOfYear(time)}, ${clock}`}
  </time>`;
}

function Jobs({ panel, inspection }) {
  const jobs = panel.control?.jobs ?? [];
  if (jobs.length === 0)
    return whyNot(panel, "jobs") === "" && html`<p class="hint">The service has no jobs now.</p>`;
  return html`<table>
    <thead>
      <tr><th scope="col">Job</th><th scope="col">Next</th><th scope="col">Runs</th><th /></tr>
    </thead>
    <tbody>
      ${jobs.map(
        (job) => html`<tr key=${job.name}>
          <th scope="row">${job.name}</th>
          <td>${nextTime(job)}</td>
          <td>${job.runs}</td>
          <td>
            <button
              type="button"
              aria-label=${`Run ${job.name} now`}
              disabled=${panel.busy || job.running}
              onClick=${() =>
                inspection.act({ do: "run_job", name: job.name }, `${job.name} has been run.`)}
            >
              Run now
            </button>
          </td>
        </tr>`,
      )}
    </tbody>
  </table>`;
}

function Time({ panel, inspection }) {
  const offset = panel.control?.offsetSeconds ?? 0;
  return html`<section aria-labelledby="tools-time">
    <h3 id="tools-time">Clock of the jobs</h3>
    <p>${aheadOf(offset)}</p>
    <div class="doings">
      ${STEPS.map(
        ([seconds, label]) => html`<${Tool}
          key=${label}
          panel=${panel}
          needs="advance"
          label=${label}
          onPress=${() => inspection.act({ do: "advance", seconds }, `The jobs' clock: ${label}.`)}
        />`,
      )}
    </div>
    <${Jobs} panel=${panel} inspection=${inspection} />
    <${Reasons} panel=${panel} needs=${["advance", "jobs"]} />
  </section>`;
}

function Slow({ panel, inspection }) {
  const now = panel.control?.slowSeconds ?? 0;
  const choices = SLOW.includes(now) ? SLOW : [...SLOW, now];
  const said = (seconds) =>
    seconds ? `What the service sends takes ${seconds} s longer.` : "The service is as fast as ever.";
  return html`<section aria-labelledby="tools-slow">
    <h3 id="tools-slow">Slow platform</h3>
    <div class="segments" role="group" aria-labelledby="tools-slow">
      ${choices.map(
        (seconds) => html`<${Tool}
          key=${seconds}
          panel=${panel}
          needs="slow"
          label=${seconds ? `${seconds} s` : "Off"}
          pressed=${seconds === now}
          onPress=${() => inspection.act({ do: "slow", seconds }, said(seconds))}
        />`,
      )}
    </div>
    <${Reasons} panel=${panel} needs=${["slow"]} />
  </section>`;
}

function Band({ state, panel, inspection }) {
  const [asks, setAsks] = useState(false);
  const band = currentBand(state);
  const reset = () =>
    inspection.act({ do: "reset_band", band: band.channelId }, `${band.name} has been reset.`);
  return html`<section aria-labelledby="tools-band">
    <h3 id="tools-band">Band</h3>
    <div class="doings">
      <${Tool}
        panel=${panel}
        needs="reset_band"
        label="Reset band…"
        onPress=${() => setAsks(true)}
      />
    </div>
    <${Reasons} panel=${panel} needs=${["reset_band"]} />
    ${asks &&
    html`<${Dialog}
      title=${`Reset ${band.name}?`}
      action="Reset band"
      onSubmit=${reset}
      onClose=${() => setAsks(false)}
    >
      <p class="field">
        Everybody leaves it and its messages are forgotten; pages that are open join anew. What the
        service has stored itself is the service's.
      </p>
    <//>`}
  </section>`;
}

/** There is no mail here: who signs up, or has forgotten a password, reads the code on the panel. */
function Codes({ panel, inspection }) {
  const codes = panel.codes ?? [];
  return html`<section aria-labelledby="tools-codes">
    <h3 id="tools-codes">Codes instead of mails</h3>
    ${codes.length === 0 && html`<p class="hint">Nobody waits for a code.</p>`}
    ${codes.map(
      ({ email, purpose, code }) => html`<p key=${`${email} ${purpose}`}>
        <bdi>${email}</bdi>, ${purpose}: <strong class="code">${code}</strong>
      </p>`,
    )}
    <div class="doings">
      <button type="button" onClick=${() => inspection.refresh("codes")}>Look again</button>
    </div>
  </section>`;
}

export function Tools({ state, inspection }) {
  const { panel } = inspection;
  return html`<div class="tools">
    ${panel.controlReason && html`<p class="wrong">${panel.controlReason}</p>`}
    <${Service} state=${state} panel=${panel} inspection=${inspection} />
    <${Time} panel=${panel} inspection=${inspection} />
    <${Slow} panel=${panel} inspection=${inspection} />
    <${Codes} panel=${panel} inspection=${inspection} />
    ${currentBand(state) && html`<${Band} state=${state} panel=${panel} inspection=${inspection} />`}
  </div>`;
}

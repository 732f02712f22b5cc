// Tapes: record what people do and what the service answers, do it again, or look whether the
// service still answers the same.

import { differenceOf } from "../inspect_select.js";
import { useRef } from "../vendor/hooks.js";
import { html } from "./html.js";

function FileButton({ label, fileLabel, disabled, onFile }) {
  const input = useRef(null);
  const choose = (event) => {
    const [file] = event.currentTarget.files;
    if (file) onFile(file);
    event.currentTarget.value = ""; // so that the same file can be chosen again
  };
  return html`
    <button type="button" disabled=${disabled} onClick=${() => input.current.click()}>${label}</button>
    <input ref=${input} type="file" accept=".jsonl,.json" aria-label=${fileLabel} hidden onChange=${choose} />
  `;
}

function Outcome({ outcome }) {
  if (outcome.same === null) return null;
  if (outcome.same)
    return html`<p class="same"><strong>The same.</strong> The service answers as on ${outcome.name}.</p>`;
  const { where, leaf, parts } = differenceOf(outcome.difference);
  return html`
    <p class="wrong"><strong>Not the same</strong> as on ${outcome.name}. ${where}</p>
    ${leaf && html`<p class="leaf">${leaf}</p>`}
    ${parts.map(
      ([name, text]) => html`<figure key=${name}>
        <figcaption>${name}</figcaption>
        <pre tabindex="0" aria-label=${name}>${text}</pre>
      </figure>`,
    )}
  `;
}

export function Tapes({ inspection }) {
  const { tapes, controlReason, busy, outcome } = inspection.panel;
  const recording = tapes?.recording === true;
  const disabled = tapes === null || busy;
  return html`<div class="tools">
    ${controlReason && html`<p class="wrong">${controlReason}</p>`}
    <section aria-labelledby="tape-record">
      <h3 id="tape-record">Record</h3>
      <p>
        ${recording
          ? html`<span class="recording" aria-hidden="true" /> Recording everything that everybody does.`
          : "A tape holds the frames of a session in a file that people can read, with names for ids."}
      </p>
      <div class="doings">
        ${recording
          ? html`<button key="stop" type="button" disabled=${disabled} onClick=${() => inspection.stopTape()}>
              Stop and save
            </button>`
          : html`<button key="record" type="button" disabled=${disabled} onClick=${() => inspection.startTape()}>
              Record
            </button>`}
      </div>
    </section>
    <section aria-labelledby="tape-use">
      <h3 id="tape-use">Play and check</h3>
      <p>
        Played, a tape does again what people did. Checked, its answers are compared with those of
        the service now.
      </p>
      <div class="doings">
        <${FileButton}
          label="Play a tape…"
          fileLabel="Tape to play"
          disabled=${disabled || recording}
          onFile=${(file) => inspection.useTape("play", file)}
        />
        <${FileButton}
          label="Check a tape…"
          fileLabel="Tape to check"
          disabled=${disabled || recording}
          onFile=${(file) => inspection.useTape("check", file)}
        />
      </div>
    </section>
    <section role="status" aria-label="Outcome of the tape">
      ${outcome && html`<${Outcome} outcome=${outcome} />`}
    </section>
  </div>`;
}

// Why the service does not run, or why its new code was not taken: in a line, and the traceback, leaf
// first. It goes away when the service is well again.

import { html } from "./html.js";
import { Icon } from "./icons.js";

const WORDS = {
  running: (name) => `The new code of ${name} was not taken; the code before it runs on.`,
  starting: (name) => `${name} could not start. It is tried again.`,
  restarting: (name) => `${name} could not start. It is tried again.`,
  crashed: (name) => `${name} has crashed. Save one of its files, or restart it in the builder's panel.`,
  stopped: (name) => `${name} has stopped.`,
};

export function Crash({ state }) {
  const { service } = state;
  if (state.link !== "up" || !service?.problem) return null;
  const { summary, text, file, line } = service.problem;
  const place = file && (line ? `${file}:${line}` : file);
  const words = WORDS[service.state] ?? WORDS.stopped;
  return html`<section class="crash" role="alert" aria-label="Service problem">
    <${Icon} name="warning" />
    <div>
      <p><strong>${words(service.name || "The service")}</strong></p>
      <p class="summary">
        ${summary}${place && !summary.includes(place) && html`${" "}<span class="place">${place}</span>`}
      </p>
      ${text &&
      html`<details>
        <summary>${/^ *File "/m.test(text) ? "Traceback, where it happened first" : "Details"}</summary>
        <pre tabindex="0">${text}</pre>
      </details>`}
    </div>
  </section>`;
}

// One frame, whole: what is known of it, its text, and what can be done with it.

import {
  durationOf,
  frameToEdit,
  nameIn,
  pretty,
  recordsOf,
  titleOf,
  troubleOf,
} from "../inspect_select.js";
import { testStep } from "../inspect_steps.js";
import { sizeText } from "../files.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { clockToMillisecond, dayAndClock } from "./times.js";

function Fact({ name, children }) {
  return html`<div><dt>${name}</dt><dd>${children}</dd></div>`;
}

function time(at) {
  const moment = new Date(at);
  return html`<time datetime=${moment.toISOString()} title=${dayAndClock(moment)}>
    ${clockToMillisecond(moment)}
  </time>`;
}

export function Frame({ record, effects, cause, before, userId, inspection }) {
  const title = titleOf(record);
  const trouble = troubleOf(record);
  const step = testStep({ record, effects, before });
  const edit = () =>
    inspection.dispatch({ kind: "raw_opened", text: frameToEdit(record, userId) });
  return html`<section class="opened" aria-label="Frame">
    <div class="opened-head">
      <h3>${record.direction} <span class="what">${title}</span></h3>
      <button
        type="button"
        class="small quiet"
        aria-label="Close the frame"
        title="Close the frame"
        onClick=${() => inspection.dispatch({ kind: "closed" })}
      >
        <${Icon} name="close" />
      </button>
    </div>
    ${trouble && html`<p class="wrong">${trouble}</p>`}
    <dl>
      <${Fact} name="from">${nameIn(record, record.from)}<//>
      <${Fact} name="to">${record.to.map((id) => nameIn(record, id)).join(", ") || "nobody"}<//>
      ${record.handler && html`<${Fact} name="handler">${record.handler}<//>`}
      ${record.milliseconds !== null && html`<${Fact} name="took">${durationOf(record)}<//>`}
      ${recordsOf(record) && html`<${Fact} name="storage">${recordsOf(record)}<//>`}
      ${cause && html`<${Fact} name="caused by">${titleOf(cause)} of ${nameIn(cause, cause.from)}<//>`}
      <${Fact} name="at">${time(record.at)}<//>
      <${Fact} name="size">${sizeText(record.bytes)}<//>
    </dl>
    <div class="doings">
      <button type="button" onClick=${() => inspection.copy(pretty(record.frame), "The frame is copied.")}>
        Copy as JSON
      </button>
      <button type="button" title=${step} onClick=${() => inspection.copy(step, `Copied: ${step}`)}>
        Copy as test step
      </button>
      <button type="button" onClick=${edit}>Edit and send</button>
    </div>
    <pre tabindex="0" aria-label="The frame's text">${pretty(record.frame)}</pre>
  </section>`;
}

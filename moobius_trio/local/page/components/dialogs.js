// The dialogs: the form of a key, and those that ask for a name. Native ones, so that Escape, focus and
// the way back are the browser's.

import { useLayoutEffect, useRef } from "../vendor/hooks.js";
import { html } from "./html.js";

/** `onSubmit(form)` is called with the form element once the browser finds it filled in. */
export function Dialog({ title, action, children, onSubmit, onClose }) {
  const dialog = useRef(null);
  useLayoutEffect(() => dialog.current.showModal(), []);
  const submit = (event) => {
    event.preventDefault();
    onSubmit(event.currentTarget);
    dialog.current.close();
  };
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${onClose}>
    <form onSubmit=${submit}>
      <h2 id="dialog-title">${title}</h2>
      ${children}
      <div class="actions">
        <button type="button" onClick=${() => dialog.current.close()}>Cancel</button>
        <button type="submit" class="primary">${action}</button>
      </div>
    </form>
  </dialog>`;
}

/** Options are sent by their place in the list: a value may be any text, also an empty one. */
function Choice({ name, argument }) {
  const { optional, placeholder, values } = argument;
  return html`<span class="select">
    <select id=${name} name=${name} required=${!optional}>
      <option value="">${placeholder || "Choose…"}</option>
      ${values.map((value, index) => html`<option value=${String(index)}>${value}</option>`)}
    </select>
  </span>`;
}

function Field({ name, argument }) {
  return html`<p class="field">
    <label for=${name}>
      ${argument.name}
      ${argument.optional
        ? html`<span class="muted"> (optional)</span>`
        : html`<span class="required" aria-hidden="true"> *</span>`}
    </label>
    ${argument.type === "enum"
      ? html`<${Choice} name=${name} argument=${argument} />`
      : html`<input
          id=${name}
          name=${name}
          type="text"
          autocomplete="off"
          placeholder=${argument.placeholder}
          required=${!argument.optional}
        />`}
  </p>`;
}

function valueOf(argument, raw) {
  if (argument.type !== "enum") return raw;
  return raw === "" ? "" : argument.values[Number(raw)];
}

export function KeyDialog({ form: { channelId, feature }, link }) {
  const submit = (form) => {
    const filled = new FormData(form);
    const values = feature.arguments.map((argument, index) =>
      valueOf(argument, filled.get(`argument-${index}`)),
    );
    link.call(channelId, feature, values);
  };
  return html`<${Dialog}
    title=${feature.buttonText}
    action="Send"
    onSubmit=${submit}
    onClose=${() => link.dispatch({ kind: "form_closed" })}
  >
    ${feature.arguments.map(
      (argument, index) => html`<${Field} name=${`argument-${index}`} argument=${argument} />`,
    )}
  <//>`;
}

/** Asks for one name; `onName(name)` is called with it. */
export function NameDialog({ title, label, action, value = "", hint = "", longest = 40, onName, onClose }) {
  const submit = (form) => onName(new FormData(form).get("name").trim());
  return html`<${Dialog} title=${title} action=${action} onSubmit=${submit} onClose=${onClose}>
    <p class="field">
      <label for="asked-name">${label}</label>
      <input
        id="asked-name"
        name="name"
        type="text"
        autocomplete="off"
        maxlength=${longest}
        required
        pattern=".*\\S.*"
        defaultValue=${value}
      />
      ${hint && html`<span class="hint">${hint}</span>`}
    </p>
  <//>`;
}

export function BandDialog({ link, onClose }) {
  return html`<${NameDialog}
    title="New band"
    label="Name"
    action="Create"
    longest=${60}
    onName=${(name) => link.addBand(name)}
    onClose=${onClose}
  />`;
}

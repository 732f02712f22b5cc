// The form of a key or of a menu's item: a field for each argument, and the buttons under them. Every
// value is a text, in the order of the arguments (docs/protocol/generation-1.md section 4).

import { Dialog } from "./dialogs.js";
import { html } from "./html.js";

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

// Passwords of services are none of the browser's to keep; numbers may have a fraction.
const KINDS = {
  string: { type: "text", autocomplete: "off" },
  number: { type: "number", step: "any", autocomplete: "off" },
  password: { type: "password", autocomplete: "new-password" },
};

function Input({ name, argument: { type, placeholder, optional } }) {
  const common = { id: name, name, placeholder, required: !optional };
  if (type === "textbox") return html`<textarea ...${common} rows="4" autocomplete="off" />`;
  return html`<input ...${common} ...${KINDS[type] ?? KINDS.string} />`;
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
      : html`<${Input} name=${name} argument=${argument} />`}
  </p>`;
}

function valueOf(argument, raw) {
  if (argument.type !== "enum") return raw;
  return raw === "" ? "" : argument.values[Number(raw)];
}

/** Each of the form's own buttons closes it; those that do not submit send nothing. */
function OwnButtons({ buttons, onClose }) {
  const main = buttons.findIndex(({ submit }) => submit);
  return buttons.map(({ id, label, submit }, index) =>
    submit
      ? html`<button type="submit" class=${index === main ? "primary" : ""} value=${id}>${label}</button>`
      : html`<button type="button" onClick=${onClose}>${label}</button>`,
  );
}

/** `form`: the state's. */
export function AskedDialog({ form, link }) {
  const { asked } = form;
  const buttons = asked.dialog?.buttons ?? [];
  const submit = (element, pressed) => {
    // Enter submits a form that has no button for it as well.
    if (buttons.length > 0 && !pressed) return;
    const filled = new FormData(element);
    const values = asked.arguments.map((argument, index) =>
      valueOf(argument, filled.get(`argument-${index}`)),
    );
    link.answer(form, values, buttons.length > 0 ? pressed.value : undefined);
  };
  const own = (onClose) => html`<${OwnButtons} buttons=${buttons} onClose=${onClose} />`;
  return html`<${Dialog}
    title=${asked.dialog?.title || asked.label}
    action="Send"
    actions=${buttons.length > 0 ? own : undefined}
    onSubmit=${submit}
    onClose=${() => link.dispatch({ kind: "form_closed" })}
  >
    ${asked.arguments.map(
      (argument, index) => html`<${Field} name=${`argument-${index}`} argument=${argument} />`,
    )}
  <//>`;
}

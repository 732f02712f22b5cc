// A dialog, and those that ask for a name. Native ones, so that Escape, focus and the way back are the
// browser's. (forms.js has those of services, groups.js those of recipients.)

import { useLayoutEffect, useRef } from "../vendor/hooks.js";
import { html } from "./html.js";

/**
 * `onSubmit(form, button)` is called with the form element once the browser finds it filled in, and
 * with the button that was pressed, if one was. `actions(onClose)` draws other buttons than the two.
 */
export function Dialog({ title, action, actions, children, onSubmit, onClose }) {
  const dialog = useRef(null);
  useLayoutEffect(() => dialog.current.showModal(), []);
  const submit = (event) => {
    event.preventDefault();
    onSubmit(event.currentTarget, event.submitter);
    dialog.current.close();
  };
  const cancel = () => dialog.current.close();
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${onClose}>
    <form onSubmit=${submit}>
      <h2 id="dialog-title">${title}</h2>
      ${children}
      <div class="actions">
        ${actions?.(cancel) ??
        html`<button type="button" onClick=${cancel}>Cancel</button>
          <button type="submit" class="primary">${action}</button>`}
      </div>
    </form>
  </dialog>`;
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

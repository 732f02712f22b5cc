// Files that people send: the button, what is pasted or dropped on the page, and those on their way.

import { MAX_FILE_BYTES, sizeText } from "../files.js";
import { closedReason, recipients } from "../select.js";
import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";

const LIMIT = sizeText(MAX_FILE_BYTES);

export function FileButton({ link, disabled }) {
  const input = useRef(null);
  const choose = ({ currentTarget }) => {
    const files = [...currentTarget.files];
    currentTarget.value = ""; // so that the same file can be chosen again
    if (files.length > 0) link.sendFiles(files);
  };
  return html`
    <button
      type="button"
      class="small"
      aria-label="Send a file"
      title=${`Send a picture, a sound or any file of up to ${LIMIT}. Pasting and dropping work too.`}
      disabled=${disabled}
      onClick=${() => input.current.click()}
    >
      <${Icon} name="attach" />
    </button>
    <input ref=${input} type="file" multiple aria-label="File to send" hidden onChange=${choose} />
  `;
}

export function Uploads({ state, link }) {
  if (state.uploads.length === 0) return null;
  return html`<ul class="uploads" aria-label="Files on their way">
    ${state.uploads.map(
      ({ id, name, size, sent }, index) => html`<li key=${id}>
        <bdi class="file-name">${name}</bdi>
        <progress aria-label=${`Sending ${name}`} max=${size || 1} value=${sent} />
        <span class="hint">${index > 0 ? "waiting, " : `${sizeText(sent)} of `}${sizeText(size)}</span>
        <button
          type="button"
          class="small quiet"
          aria-label=${`Do not send ${name}`}
          title="Do not send it"
          onClick=${() => link.cancelUpload(id)}
        >
          <${Icon} name="cross" />
        </button>
      </li>`,
    )}
  </ul>`;
}

const hasFiles = (transfer) => transfer?.types.includes("Files") ?? false;
const isInDialog = ({ target }) => target instanceof Element && target.closest("dialog") !== null;

/** Takes files that are pasted anywhere or dropped anywhere; while some hover, it says what a drop does. */
export function DropZone({ state, link }) {
  const [hovers, setHovers] = useState(false);
  useEffect(() => {
    const within = new AbortController();
    const listen = (kind, handle) => {
      document.addEventListener(kind, handle, { signal: within.signal });
    };
    listen("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0 || isInDialog(event)) return;
      event.preventDefault();
      link.sendFiles(files);
    });
    listen("dragover", (event) => {
      if (!hasFiles(event.dataTransfer)) return;
      event.preventDefault(); // else the browser would open the file in place of the page
      setHovers(true);
    });
    listen("dragleave", (event) => {
      if (event.relatedTarget === null) setHovers(false);
    });
    listen("drop", (event) => {
      if (!hasFiles(event.dataTransfer)) return;
      event.preventDefault();
      setHovers(false);
      link.sendFiles([...event.dataTransfer.files]);
    });
    return () => within.abort();
  }, [link]);
  if (!hovers) return null;
  const { label, reason } = recipients(state);
  return html`<div class="drop">
    <p><${Icon} name="attach" />${closedReason(state) || reason || `Drop to send ${label}`}</p>
  </div>`;
}

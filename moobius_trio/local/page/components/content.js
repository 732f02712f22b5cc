// What a message holds: text as text, a picture, a sound, a file to be saved. What is not kept by
// this platform is an address with a link; nothing is loaded from another machine.

import { fileName, sizeText } from "../files.js";
import { addressKind } from "../select.js";
import { useState } from "../vendor/hooks.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Address } from "./picture.js";

const LONG_TEXT = 4000;

function FileLink({ content, own }) {
  const name = fileName(content);
  return html`<a class="file" href=${own} download=${name} aria-label=${`Save ${name}`}>
    <${Icon} name="file" />
    <bdi class="file-name">${name}</bdi>
    ${content.size > 0 && html`<span class="muted">${sizeText(content.size)}</span>`}
  </a>`;
}

function File({ subtype, content, from }) {
  const [isBroken, setBroken] = useState(false);
  const { own } = addressKind(content.path, location.origin);
  if (!own) return html`<${Address} path=${content.path} />`;
  // The bytes may be none of what the message calls them: then they can still be saved.
  const onError = () => setBroken(true);
  if (subtype === "image" && !isBroken)
    return html`<a class="whole" href=${own} target="_blank" rel="noreferrer" title="Open the picture">
      <img class="picture" src=${own} alt=${`Picture from ${from}`} onError=${onError} />
    </a>`;
  if (subtype === "audio" && !isBroken)
    return html`<audio
      controls
      preload="metadata"
      src=${own}
      aria-label=${`Sound from ${from}`}
      onError=${onError}
    />`;
  return html`<${FileLink} content=${content} own=${own} />`;
}

/** `from`: the name of who sent it. */
export function Content({ message: { subtype, content }, from }) {
  const { text, path } = content;
  return html`<div class=${text.length > LONG_TEXT ? "bubble long" : "bubble"}>
    ${path && html`<${File} subtype=${subtype} content=${content} from=${from} />`}
    ${text && html`<p>${text}</p>`}
    ${!text && !path && html`<p class="muted">(empty)</p>`}
  </div>`;
}

// What a message holds: text as text, a picture, a sound, a file to be saved, a card. What is not kept
// by this platform is an address with a link; nothing is loaded from another machine.

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

/** A file on another machine: its name and size, if they are said, and the way there. */
function Elsewhere({ content }) {
  const { path, filename, size } = content;
  return html`
    ${filename &&
    html`<p class="file">
      <${Icon} name="file" />
      <bdi class="file-name">${filename}</bdi>
      ${size > 0 && html`<span class="muted">${sizeText(size)}</span>`}
    </p>`}
    <${Address} path=${path} />
  `;
}

function File({ subtype, content, from }) {
  const [isBroken, setBroken] = useState(false);
  const { own } = addressKind(content.path, location.origin);
  if (!own) return html`<${Elsewhere} content=${content} />`;
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

/** Its button is a link only where that leads to a web page, or to a file of this platform. */
function Card({ content: { title, text, link, button } }) {
  const { own, link: elsewhere } = addressKind(link, location.origin);
  const href = own || elsewhere;
  return html`<div class="card">
    ${title && html`<h3>${title}</h3>`}
    ${text && html`<p>${text}</p>`}
    ${href &&
    html`<a class="button" href=${href} title=${href} target="_blank" rel="noopener noreferrer">
      <bdi>${button || "Open"}</bdi><${Icon} name="away" />
    </a>`}
    ${link && !href && html`<${Address} path=${link} />`}
  </div>`;
}

/** `from`: the name of who sent it. */
export function Content({ message: { subtype, content }, from }) {
  const { text, path, title, link } = content;
  const isCard = subtype === "card" && Boolean(title || link);
  return html`<div class=${text.length > LONG_TEXT ? "bubble long" : "bubble"}>
    ${path && html`<${File} subtype=${subtype} content=${content} from=${from} />`}
    ${isCard ? html`<${Card} content=${content} />` : text && html`<p>${text}</p>`}
    ${!text && !path && !isCard && html`<p class="muted">(empty)</p>`}
  </div>`;
}

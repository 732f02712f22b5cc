// Markdown as plain values: `markdownTree(text, origin)` gives nodes { tag, props, children } and texts.
// Pure. markdown-it reads the text; what it would write as HTML is never used, so that no text can
// become markup: only the tags named here exist, and only the addresses that the page may show.

import { addressKind } from "./select.js";
import MarkdownIt from "./vendor/markdown-it.js";

const parser = new MarkdownIt({ html: false, linkify: true, breaks: true });
parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
// Anything else, `javascript:` first of all, stays the text that it was.
parser.validateLink = (address) => /^(https?:\/\/|\/bucket\/)/i.test(address);

const PLAIN = new Set(
  "p ul ol li blockquote em strong s table thead tbody tr th td h1 h2 h3 h4 h5 h6".split(" "),
);
const HEADINGS = { h1: "h3", h2: "h4", h3: "h5", h4: "h6", h5: "h6", h6: "h6" }; // below the page's own

const node = (tag, props = {}, children = []) => ({ tag, props, children });

/** `origin` is the page's: addresses of its bucket are its own. */
export function markdownTree(text, origin) {
  return nested(parser.parse(text, {}), origin);
}

function nested(tokens, origin) {
  const root = node("");
  const open = [root];
  for (const token of tokens) {
    const { children } = open.at(-1);
    if (token.nesting > 0) {
      const inner = opened(token, origin);
      if (inner.tag) children.push(inner);
      else inner.children = children; // it has no element: what is in it goes where it stands
      open.push(inner);
    } else if (token.nesting < 0) open.pop();
    else children.push(...leaf(token, origin));
  }
  return root.children;
}

function opened({ type, tag, hidden, attrs }, origin) {
  const attributes = Object.fromEntries(attrs ?? []);
  if (type === "link_open") return link(attributes.href, origin);
  if (hidden || !PLAIN.has(tag)) return node("");
  const start = tag === "ol" ? Number(attributes.start) : NaN;
  return node(HEADINGS[tag] ?? tag, Number.isInteger(start) ? { start } : {});
}

function link(address, origin) {
  const { own, link: elsewhere } = addressKind(address, origin);
  const href = own || elsewhere;
  return href ? node("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }) : node("");
}

function leaf(token, origin) {
  switch (token.type) {
    case "inline":
      return nested(token.children, origin);
    case "softbreak":
    case "hardbreak":
      return [node("br")];
    case "hr":
      return [node("hr")];
    case "code_inline":
      return [node("code", {}, [token.content])];
    case "code_block":
    case "fence":
      return [node("pre", {}, [node("code", {}, [token.content])])];
    case "image":
      return [picture(token, origin)];
    default:
      return [token.content];
  }
}

/** A picture of this platform is shown; the address of any other is offered, and nothing loaded. */
function picture({ attrs, content }, origin) {
  const { src } = Object.fromEntries(attrs);
  const { own } = addressKind(src, origin);
  if (own) return node("img", { src: own, alt: content });
  const { tag, props } = link(src, origin);
  return tag ? node(tag, props, [content || src]) : content || src;
}

// A text with Markdown on the screen: what ../markdown.js found in it, as elements made one by one.

import { markdownTree } from "../markdown.js";
import { useMemo } from "../vendor/hooks.js";
import { h } from "../vendor/preact.js";

const drawn = (node) =>
  typeof node === "string" ? node : h(node.tag, node.props, ...node.children.map(drawn));

export function Markdown({ text }) {
  const tree = useMemo(() => markdownTree(text, location.origin), [text]);
  return h("div", { class: "markdown" }, ...tree.map(drawn));
}

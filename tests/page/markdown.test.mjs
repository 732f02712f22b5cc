// Markdown of the stage as plain values: `node --test tests/page`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { markdownTree } from "../../moobius_trio/local/page/markdown.js";

const ORIGIN = "http://127.0.0.1:8080";
const read = (text) => markdownTree(text, ORIGIN);

const nodes = (tree) =>
  tree.filter((node) => typeof node !== "string").flatMap((node) => [node, ...nodes(node.children)]);
const words = (tree) =>
  tree.map((node) => (typeof node === "string" ? node : words(node.children))).join("");
const tags = (text) => nodes(read(text)).map(({ tag }) => tag);
const only = (text, tag) => nodes(read(text)).find((node) => node.tag === tag);

test("paragraphs, emphasis, lists, code and tables become their elements", () => {
  assert.deepEqual(tags("a *b* **c** ~~d~~ `e`"), ["p", "em", "strong", "s", "code"]);
  assert.deepEqual(tags("- a\n- b"), ["ul", "li", "li"]);
  assert.deepEqual(only("3. a", "ol").props, { start: 3 });
  assert.deepEqual(tags("```js\na\n```"), ["pre", "code"]);
  assert.deepEqual(tags("> a\n\n---"), ["blockquote", "p", "hr"]);
  assert.deepEqual(tags("|a|\n|-|\n|b|"), ["table", "thead", "tr", "th", "tbody", "tr", "td"]);
});

test("a line break stays one, and a heading ranks below those of the page", () => {
  assert.deepEqual(tags("a\nb"), ["p", "br"]);
  assert.deepEqual(tags("# a\n\n###### b"), ["h3", "h6"]);
});

test("markup is text", () => {
  const text = "<script>hurt()</script> <img src=x onerror=hurt()> a<br/>b";
  assert.deepEqual(tags(text), ["p"]);
  assert.equal(words(read(text)), text);
});

test("links lead to http and https alone, in a tab that knows nothing of this one", () => {
  const { props } = only("[a](https://elsewhere.example/x)", "a");
  assert.equal(props.href, "https://elsewhere.example/x");
  assert.equal(props.target, "_blank");
  assert.match(props.rel, /noopener noreferrer/);
  for (const address of ["javascript:hurt()", "JaVaScRiPt:hurt()", "data:text/html,x", "file:///x", "/local/bands"]) {
    assert.equal(only(`[a](${address})`, "a"), undefined, address);
    assert.equal(only(`[a](<${address}>)`, "a"), undefined, address);
    assert.equal(only(`![a](${address})`, "img"), undefined, address);
  }
  assert.equal(only("see https://elsewhere.example/y", "a").props.href, "https://elsewhere.example/y");
});

test("only pictures of this platform are shown; the address of others is offered", () => {
  const own = { src: "/bucket/k.png", alt: "a" };
  assert.deepEqual(only("![a](/bucket/k.png)", "img").props, own);
  assert.deepEqual(only(`![a](${ORIGIN}/bucket/k.png "t")`, "img").props, own);
  assert.equal(only("![a](https://elsewhere.example/k.png)", "img"), undefined);
  assert.equal(only("![a](https://elsewhere.example/k.png)", "a").children[0], "a");
  assert.equal(only("![a](/bucket/../local/bands)", "img"), undefined);
});

test("whatever is written, nothing is lost and nothing fails", () => {
  for (const text of ["", "*", "[", "![](", "\0", "a".repeat(60_000), ">".repeat(5_000), "[".repeat(5_000)]) {
    assert.ok(Array.isArray(read(text)));
  }
});

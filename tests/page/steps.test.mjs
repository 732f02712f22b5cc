// Frames as lines of a test (docs/how-to/testing.md), without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";

import { testStep, variable, wholeTest } from "../../moobius_trio/local/page/inspect_steps.js";

const ALICE = "local-alice";
const BOB = "local-bob";
const MICKEY = "local-mickey";
const NAMES = { [ALICE]: "Alice", [BOB]: "Bob", [MICKEY]: "Mickey 0" };

let count = 0;
const record = (change, body) => ({
  n: ++count,
  direction: "up",
  type: "msg_up",
  subtype: "text",
  band: "local-demo",
  from: ALICE,
  to: ["service"],
  names: NAMES,
  cause: null,
  handler: "",
  refused: "",
  plain:
    change.frame ??
    JSON.stringify({ type: change.type ?? "msg_up", body: { subtype: change.subtype, ...body } }),
  ...change,
});
const down = (to, type, subtype, body) =>
  record({ direction: "down", from: "service", to, type, subtype }, { subtype, ...body });
const said = (text, recipients, change = {}) =>
  record({ subtype: "text", ...change }, { content: { text }, recipients });
const entry = (id) => ({ user_id: id, username: "u", user_context: { nickname: NAMES[id] } });
const list = (to, ...ids) => down(to, "update", "update_userlist", { userlist: ids.map(entry) });
const heard = (text, ...to) => down(to, "msg_down", "text", { content: { text } });

const step = (of, { effects = [], before = [] } = {}) => testStep({ record: of, effects, before });

test("a message names its recipients: people by their variable, others as a character", () => {
  const before = [list([ALICE, BOB], ALICE, BOB, MICKEY)];
  assert.equal(step(said("hi", [BOB]), { before }), 'await alice.say("hi", to=[bob])');
  assert.equal(
    step(said("hi", [BOB, MICKEY]), { before }),
    'await alice.say("hi", to=[bob, alice.character("Mickey 0")])',
  );
});

test("to the Service and to All are said as such", () => {
  const before = [list([ALICE], ALICE, BOB)];
  assert.equal(step(said("hi", []), { before }), 'await alice.say("hi", to=SERVICE)');
  assert.equal(step(said("hi", [ALICE, BOB]), { before }), 'await alice.say("hi")');
  assert.equal(step(said("hi", [ALICE, BOB])), 'await alice.say("hi", to=[alice, alice.character("Bob")])');
  const other = { ...before[0], band: "another band" };
  assert.match(step(said("hi", [ALICE, BOB]), { before: [other] }), /to=\[/);
});

test("recipients are those of the frame to the service too, which has them in its context", () => {
  const frame = JSON.stringify({
    body: { content: { text: "hi" }, recipients: [], context: { recipients: [BOB] } },
  });
  const before = [heard("x", BOB)];
  assert.equal(step(record({ frame }), { before }), 'await alice.say("hi", to=[bob])');
});

test("a text is written as Python reads it", () => {
  const text = 'say "hi"\n\\ \u0000 \u{1f600}';
  assert.equal(step(said(text, [])), String.raw`await alice.say("say \"hi\"\n\\ \u0000 😀", to=SERVICE)`);
});

test("what is no text is sent with its path", () => {
  const picture = record({ subtype: "image" }, { content: { path: "/bucket/a.png" }, recipients: [] });
  assert.equal(
    step(picture),
    'await alice.send(Content(path="/bucket/a.png"), subtype="image", to=SERVICE)',
  );
});

const clicked = (body) =>
  record({ type: "action", subtype: "menu_item_click" }, { menu_item_id: "like", arguments: [], ...body });

test("an item of a menu is chosen, of the message that says the same", () => {
  const card = { title: "T", text: "x" };
  const before = [
    heard("one", ALICE),
    down([ALICE], "msg_down", "card", { content: card }),
    heard("two", BOB),
    heard("last", ALICE),
  ];
  const of = (message_subtype, message_content) =>
    step(clicked({ message_subtype, message_content }), { before });
  assert.equal(of("text", { text: "last" }), 'await alice.choose("like")');
  assert.equal(
    of("card", { text: "x", title: "T" }),
    'await alice.choose("like", message=alice.messages[-2])',
  );
  assert.equal(of("text", { text: "one" }), 'await alice.choose("like", message=alice.messages[-3])');
  assert.equal(of("text", { text: "her own" }), 'await alice.choose("like")');
});

test("the button of a form is named where it had several", () => {
  const filled = { arguments: [{ name: "why", value: "so" }], bottom_button_id: "draft" };
  const key = record({ type: "feature_call", subtype: "k" }, { feature_id: "k", ...filled });
  assert.equal(step(key), 'await alice.click("k", why="so", bottom_button_id="draft")');
  const odd = { ...filled, arguments: [{ name: "message", value: "so" }] };
  const item = step(clicked(odd));
  assert.equal(item, 'await alice.choose("like", {"message": "so"}, bottom_button_id="draft")');
});

test("menus and canvases are asserted by what they hold", () => {
  const menu = down([ALICE], "update", "update_menu", { content: [{ menu_item_id: "like" }] });
  assert.equal(step(menu), 'assert [item.menu_item_id for item in alice.menu] == ["like"]');
  const stage = { content: { text: "one" }, more: [{ path: "p" }] };
  const canvas = down([ALICE], "update", "update_playground", stage);
  assert.equal(step(canvas), 'assert [item.text for item in alice.canvas] == ["one", None]');
});

test("a key is pressed with its form filled in", () => {
  const press = (args) =>
    step(record({ type: "feature_call", subtype: "key1" }, { feature_id: "key1", arguments: args }));
  assert.equal(press([]), 'await alice.click("key1")');
  assert.equal(
    press([{ name: "magic_type", value: "Mickey" }, { name: "n", value: 3 }]),
    'await alice.click("key1", magic_type="Mickey", n=3)',
  );
  assert.equal(
    press([{ name: "How many?", value: 2 }]),
    'await alice.click("key1", {"How many?": 2})',
  );
  assert.equal(press([{ name: "class", value: true }]), 'await alice.click("key1", {"class": True})');
});

test("who comes joins the band, who was there rejoins, who goes leaves, and a reload fetches", () => {
  const act = (subtype) => record({ type: "action", subtype }, {});
  assert.equal(step(act("join_channel")), '[alice] = await band.join("Alice")');
  const before = [act("leave_channel")];
  assert.equal(step(act("join_channel"), { before }), "await alice.rejoin()");
  assert.equal(step(act("leave_channel")), "await alice.leave()");
  assert.equal(step(act("fetch_userlist")), 'await alice.fetch("fetch_user_list")');
  assert.equal(step(act("fetch_features")), 'await alice.fetch("fetch_features")');
});

test("what no person does on the page is a comment", () => {
  assert.equal(step(record({ type: "dance" })), "# alice sent a frame that is no step: dance");
  assert.equal(step(record({ type: "", frame: "{" })), "# alice sent a frame that is no step: no JSON");
});

test("a step is followed by what everybody sees in the end", () => {
  const effects = [
    heard("one", ALICE, BOB),
    list([ALICE], ALICE, MICKEY),
    heard("two", ALICE),
    down([ALICE], "update", "channel_info", {}),
  ];
  assert.deepEqual(step(said("hi", []), { effects }).split("\n"), [
    'await alice.say("hi", to=SERVICE)',
    'assert bob.last.text == "one"',
    'assert alice.names == ["Alice", "Mickey 0"]',
    'assert alice.last.text == "two"',
  ]);
});

test("each thing on a screen has its assertion", () => {
  const seen = (type, subtype, body) => step(down([ALICE], type, subtype, body));
  assert.equal(seen("msg_down", "image", { content: { path: "p" } }), 'assert alice.last.subtype == "image"');
  assert.equal(
    seen("update", "update_features", { features: [{ feature_id: "a" }, { feature_id: "b" }] }),
    'assert [key.feature_id for key in alice.keys] == ["a", "b"]',
  );
  assert.equal(
    seen("update", "update_playground", { content: { path: "p", text: "Dark!" } }),
    'assert alice.stage.text == "Dark!"',
  );
  assert.equal(
    seen("update", "update_style", { content: [{ widget: "w", display: "visible", expand: "false" }] }),
    'assert [(item.widget, item.display, item.expand) for item in alice.style] == [("w", "visible", False)]',
  );
  assert.equal(seen("update", "channel_info", {}), "# update channel_info: nothing to assert");
});

test("a person's variable is a word of Python that is not taken", () => {
  const names = ["Alice", "Mickey 0", "0zero", "Zoë", "class", "band", "!?", "A-b.c"];
  assert.deepEqual(names.map(variable), [
    "alice",
    "mickey_0",
    "user_0zero",
    "zoë",
    "class_",
    "band_",
    "user_",
    "a_b_c",
  ]);
});

test("what people did becomes a test: who is there, the steps, what came of each", () => {
  const act = (subtype, from) => record({ type: "action", subtype, from }, {});
  const handler = "RoomService.on_msg_up";
  const groups = [
    { record: act("join_channel", BOB), effects: [list([ALICE, BOB], ALICE, BOB)], before: [] },
    { record: act("fetch_features", BOB), effects: [], before: [] },
    { record: said("no", [BOB], { refused: "too large" }), effects: [], before: [] },
    { record: heard("a job's", ALICE), effects: [], before: [] },
    { record: said("hi", [], { handler }), effects: [heard("ho", ALICE)], before: [] },
  ];
  assert.equal(
    wholeTest(groups),
    `from moobius_trio.testing import SERVICE
from service import RoomService


async def test_what_people_did(local):
    band = await local.start(RoomService())
    [alice] = await band.join("Alice")
    [bob] = await band.join("Bob")
    assert alice.names == ["Alice", "Bob"]
    assert bob.names == ["Alice", "Bob"]
    await alice.say("hi", to=SERVICE)
    assert alice.last.text == "ho"
`,
  );
  assert.equal(wholeTest(groups.slice(1, 4)), "");
});

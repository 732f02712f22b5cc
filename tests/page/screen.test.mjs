// What generation 1 adds to the screen, without a browser: menus, forms, canvases, styles, cards, pages of
// history, groups, agents.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  currentRoom,
  keyStyle,
  menuFor,
  namesOf,
  needsForm,
  recipients,
} from "../../moobius_trio/local/page/select.js";
import { readHistory } from "../../moobius_trio/local/page/wire.js";
import { callFrame, menuFrame } from "../../moobius_trio/local/page/wire_up.js";
import {
  ALICE,
  BAND,
  BOB,
  MICKEY,
  bands,
  band,
  down,
  entry,
  inside,
  linked,
  listed,
  opened,
  run,
  texts,
  update,
  userList,
} from "./room.mjs";

const item = (change = {}) => ({
  menu_item_id: "m",
  menu_item_text: "Mark",
  message_subtypes: ["text"],
  arguments: [],
  dialog: null,
  ...change,
});
const menu = (...items) => update("update_menu", { content: items });
const style = (...items) => update("update_style", { content: items });
const key = (feature_id, change = {}) => ({ feature_id, button_text: feature_id, ...change });
const keys = (...features) => update("update_features", { features });

// ---- menus and forms ---------------------------------------------------------------------------

test("a menu's items are for the kinds of message that they name, or for all", () => {
  const state = run(
    inside(),
    menu(
      item(),
      item({ menu_item_id: "any", menu_item_text: "", message_subtypes: [] }),
      item({ menu_item_id: "one", message_subtypes: "image" }),
    ),
  );
  const labels = (subtype) => menuFor(currentRoom(state), { subtype }).map(({ label }) => label);
  assert.deepEqual([labels("text"), labels("image"), labels("card")], [["Mark", "any"], ["any", "Mark"], ["any"]]);
  assert.deepEqual(currentRoom(run(state, menu())).menu, []);
  assert.deepEqual(currentRoom(run(state, { kind: "left", channelId: BAND })).menu, []);
});

test("a form opens for fields, for a dialog, and for keys that ask for it", () => {
  const dialog = { title: "T", bottom_buttons: [{ id: "ok", text: "Yes", submit: true }, { id: "no" }] };
  const state = run(
    inside(),
    keys(key("plain"), key("asks", { dialog }), key("false", { dialog: false })),
    menu(item(), item({ dialog }), item({ arguments: [{ name: "why" }] })),
  );
  const { features, menu: items } = currentRoom(state);
  assert.deepEqual(features.map(needsForm), [false, true, false]);
  assert.deepEqual(items.map(needsForm), [false, true, true]);
  assert.deepEqual(features[1].dialog, {
    title: "T",
    buttons: [
      { id: "ok", label: "Yes", submit: true },
      { id: "no", label: "no", submit: true },
    ],
  });
});

test("fields keep the kinds that the page knows; others are lines of text", () => {
  const kinds = ["string", "enum", "textbox", "number", "password", "colour", null];
  const state = run(inside(), keys(key("k", { arguments: kinds.map((type) => ({ name: "n", type })) })));
  assert.deepEqual(
    currentRoom(state).features[0].arguments.map(({ type }) => type),
    ["string", "enum", "textbox", "number", "password", "string", "string"],
  );
});

test("a choice repeats the message's id, kind and content as they came", () => {
  const content = { text: "hi", extra: [1] };
  const state = run(inside(), down("", { message_id: "m7", content }), menu(item({ arguments: [{ name: "why" }] })));
  const { messages, menu: items } = currentRoom(state);
  const chosen = { channelId: BAND, item: items[0], message: messages[0] };
  assert.deepEqual(menuFrame("r1", ALICE, chosen, ["so"]), {
    type: "action",
    request_id: "r1",
    client_id: ALICE,
    body: {
      subtype: "menu_item_click",
      menu_item_id: "m",
      channel_id: BAND,
      sender: ALICE,
      message_id: "m7",
      message_subtype: "text",
      message_content: content,
      arguments: [{ name: "why", value: "so" }],
      bottom_button_id: "confirm",
      context: {},
    },
  });
});

test("which button of the form was pressed is told only where there was a choice", () => {
  const feature = { featureId: "k", arguments: [] };
  assert.equal(callFrame("r", ALICE, BAND, feature, [], "maybe").body.bottom_button_id, "maybe");
  assert.ok(!("bottom_button_id" in callFrame("r", ALICE, BAND, feature, []).body));
});

test("a form is of the band it was opened in, and goes with it", () => {
  const asked = { label: "Ask", arguments: [], dialog: null };
  const open = run(listed(), { kind: "form_opened", asked });
  assert.deepEqual(open.form, { channelId: BAND, asked, message: null });
  assert.equal(run(open, { kind: "band_chosen", channelId: "b2" }).form, null);
  assert.equal(run(open, { kind: "form_closed" }).form, null);
});

// ---- canvas, styles ----------------------------------------------------------------------------

test("a canvas has several items; those that hold nothing are left out", () => {
  const more = [{ text: "two" }, {}, null, { path: "p" }];
  const state = run(inside(), update("update_playground", { content: { text: "one" }, more }));
  assert.deepEqual(currentRoom(state).stage, [
    { path: "", text: "one" },
    { path: "", text: "two" },
    { path: "p", text: "" },
  ]);
});

test("a key looks as the last word about it says, else as that about all keys", () => {
  const of = (feature_id, display, text) => ({
    widget: "feature",
    display,
    text,
    ...(feature_id ? { feature_hook: { feature_id, button_text: "x" } } : {}),
  });
  const look = (state, id) => {
    const { visible, highlight, text } = keyStyle(currentRoom(state), { featureId: id });
    return [visible, highlight, text];
  };
  const state = run(inside(), style(of("", "highlight", "all"), of("a", "invisible")));
  assert.deepEqual([look(state, "a"), look(state, "b")], [[false, false, ""], [true, true, "all"]]);
  const later = run(state, style(of("a", "visible")));
  assert.deepEqual([look(later, "a"), look(later, "b")], [[true, false, ""], [true, true, "all"]]);
  assert.deepEqual(look(run(later, style(of("", "visible"))), "b"), [true, false, ""]);
  assert.deepEqual(look(inside(), "a"), [true, false, ""]);
});

test("the stage may be marked, with words beside it", () => {
  const marked = { widget: "playground", display: "highlight", expand: true, text: "look" };
  const { stageVisible, stageMark } = currentRoom(run(inside(), style(marked)));
  assert.deepEqual([stageVisible, stageMark], [true, { highlight: true, text: "look" }]);
});

// ---- messages ----------------------------------------------------------------------------------

test("a card has a title, a text, an address and a button", () => {
  const content = { title: "T", text: "x", link: "https://h", button: "Go" };
  const [message] = currentRoom(run(inside(), down("", { subtype: "card", content }))).messages;
  assert.deepEqual(message.content, { ...content, path: "", filename: "", size: 0 });
});

const kept = (from, to) =>
  Array.from({ length: to - from }, (_, index) => {
    const number = String(from + index);
    return down(number, { message_id: `m${number}`, timestamp: 1_700_000_000_000 + from + index }).frame;
  });

test("a full page of history may have others before it", () => {
  assert.deepEqual(readHistory([{}, {}], 2), { frames: [{}, {}], more: true });
  assert.equal(readHistory([{}], 2).more, false);
  assert.deepEqual(readHistory("no", 2), { frames: [], more: false });
});

test("older messages go before those that are shown, each once, until there are no more", () => {
  const begun = run(linked(), opened({ history: kept(4, 6), more: true }), down("now", { message_id: "m6" }));
  assert.equal(currentRoom(begun).older, "there");
  const coming = run(begun, { kind: "older_asked", channelId: BAND });
  assert.equal(currentRoom(coming).older, "coming");
  const came = (history, more) => ({ kind: "older_came", channelId: BAND, history, more });
  const two = run(coming, came(kept(2, 5), true));
  assert.deepEqual(texts(two), ["2", "3", "4", "5", "now"]);
  const all = run(two, came(kept(0, 2), false));
  assert.deepEqual(texts(all), ["0", "1", "2", "3", "4", "5", "now"]);
  assert.equal(currentRoom(all).older, "none");
  const messages = currentRoom(all).messages;
  assert.equal(new Set(messages.map(({ id }) => id)).size, messages.length);
  assert.equal(messages[4], currentRoom(coming).messages[0], "what was shown is not made anew");
});

test("no more is had than the page keeps, and a page that fails can be asked for again", () => {
  const full = run(linked(), opened({ history: kept(500, 2400), more: true }));
  const history = kept(300, 500);
  const state = run(full, { kind: "older_came", channelId: BAND, history, more: true });
  assert.deepEqual([texts(state).length, texts(state)[0]], [2000, "400"]);
  assert.equal(currentRoom(state).older, "none");
  const failed = run(full, { kind: "older_failed", channelId: BAND, reason: "gone" });
  assert.equal(currentRoom(failed).older, "there");
  assert.match(failed.problem, /gone/);
});

test("of two messages with the same words both are shown, if the platform tells them apart", () => {
  const history = [down("hi", { message_id: "m1" }).frame];
  const early = run(linked(), down("hi", { message_id: "m2" }), down("hi", { message_id: "m1" }));
  const state = run(early, opened({ history }));
  assert.deepEqual(currentRoom(state).messages.map(({ messageId }) => messageId), ["m1", "m2"]);
});

test("an event leaves all messages that it does not change the same objects", () => {
  const before = run(listed(), down("one"), down("two"));
  const [one] = currentRoom(before).messages;
  const after = run(before, down("three"), { kind: "frame", frame: { type: "copy_client", body: {} } });
  assert.equal(currentRoom(after).messages[0], one);
  assert.equal(after.people, before.people);
  const again = run(after, userList(entry(ALICE, "Alice"), entry(BOB, "Bob"), entry(MICKEY, "Mickey 0")));
  assert.equal(again.people, before.people, "the same list says nothing new");
});

// ---- groups, agents ----------------------------------------------------------------------------

const groups = (...data) => ({ kind: "groups", channelId: BAND, data });
const team = { group_id: "g1", name: "Team", members: [MICKEY, ALICE] };

test("a group's members are the recipients, in its order, while they are on the list", () => {
  const state = run(listed(), groups(team, { group_id: "g2", members: ["local-gone"] }));
  const picked = run(state, { kind: "group_picked", groupId: "g1" });
  assert.deepEqual(recipients(picked).ids, [MICKEY, ALICE]);
  assert.deepEqual(recipients(run(picked, userList(entry(ALICE, "Alice")))).ids, [ALICE]);
  const gone = recipients(run(state, { kind: "group_picked", groupId: "g2" }));
  assert.deepEqual([gone.ids, gone.reason], [null, "Nobody of this group is on your list."]);
  assert.equal(run(picked, { kind: "group_picked", groupId: "what" }), picked);
  const { ids } = recipients(run(picked, { kind: "character_picked", userId: BOB }));
  assert.deepEqual(ids, [BOB], "a character takes the group's place");
  assert.equal(namesOf(state, team.members, 1), "Mickey 0, and 1 more");
});

test("groups outlive leaving, and a band that is emptied", () => {
  const state = run(listed(), groups(team));
  const left = run(state, { kind: "left", channelId: BAND });
  const emptied = run(state, bands(band({ reset: 7 })));
  for (const after of [left, emptied]) assert.equal(currentRoom(after).groups[0].name, "Team");
});

test("the agents of a band are shown while their list is open, with what is said of them", () => {
  const asked = run(listed(), { kind: "agents_asked", channelId: BAND });
  assert.deepEqual(asked.agents, { channelId: BAND, rows: null, problem: "" });
  const data = [{ id: MICKEY, name: "Mickey", description: "A mouse" }, { id: "x" }, null];
  const came = { kind: "agents_came", channelId: BAND, data };
  const rows = run(asked, came).agents.rows.map(({ name, description }) => [name, description]);
  assert.deepEqual(rows, [["Mickey", "A mouse"], ["x", ""], ["", ""]]);
  const closed = run(asked, { kind: "agents_closed" }, came);
  assert.equal(closed.agents, null);
  assert.equal(run(asked, { kind: "agents_failed", channelId: BAND, reason: "no" }).agents.problem, "no");
});

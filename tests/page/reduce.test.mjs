// The reducer of the page, without a browser: `node --test tests/page`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { extensionOf, fileName, sizeText, subtypeOf } from "../../moobius_trio/local/page/files.js";
import { initialState, reduce } from "../../moobius_trio/local/page/reduce.js";
import {
  addressKind,
  addressOf,
  bandsByService,
  closedReason,
  currentRoom,
  nameOf,
  needsForm,
  nextGuest,
  noListReason,
  noReplyReason,
  recipients,
  sentence,
  unreadElsewhere,
} from "../../moobius_trio/local/page/select.js";
import { readBands, readFrame } from "../../moobius_trio/local/page/wire.js";
import { callFrame, messageFrame } from "../../moobius_trio/local/page/wire_up.js";
import {
  ALICE,
  BAND,
  BOB,
  MICKEY,
  band,
  bands,
  copy,
  doings,
  down,
  entry,
  frame,
  inside,
  linked,
  listed,
  opened,
  run,
  said,
  signedIn,
  texts,
  update,
  userList,
} from "./room.mjs";

// ---- opening, joining, leaving -----------------------------------------------------------------

test("the band is opened once the link is up and the bands are known, whichever is first", () => {
  const start = run(initialState({ name: "alice", band: "" }), signedIn);
  const open = [{ kind: "open", channelId: BAND }];
  assert.deepEqual(doings(start, { kind: "link_up" }, bands(band())), open);
  assert.deepEqual(doings(start, bands(band()), { kind: "link_up" }), open);
});

test("the first opening joins and then fetches", () => {
  const found = doings(linked(), opened({ member: false }), { kind: "joined", channelId: BAND });
  assert.deepEqual(found.map(({ kind }) => kind), ["join", "fetch"]);
});

test("a member who reloads fetches and does not join again", () => {
  assert.deepEqual(doings(linked(), opened()), [{ kind: "fetch", channelId: BAND }]);
});

test("who has left in this tab stays out until Join is pressed", () => {
  const out = run(linked(), opened({ member: false, hasLeft: true }));
  assert.equal(currentRoom(out).membership, "left");
  assert.deepEqual(doings(linked(), opened({ member: false, hasLeft: true })), []);
  assert.deepEqual(doings(out, { kind: "join_pressed" }), [{ kind: "join", channelId: BAND }]);
});

test("leaving keeps the messages and clears what the service had set, also when it comes late", () => {
  const left = run(listed(), down("hi"), { kind: "left", channelId: BAND });
  assert.deepEqual(texts(left), ["hi"]);
  assert.equal(currentRoom(left).characters, null);
  assert.notEqual(closedReason(left), "");
  assert.equal(currentRoom(run(left, userList(entry(BOB, "Bob")))).characters, null);
});

test("a service that connects again makes the page fetch again, a list of bands alone does not", () => {
  const fetch = [{ kind: "fetch", channelId: BAND }];
  assert.deepEqual(doings(inside(), bands(band())), []);
  assert.deepEqual(doings(inside(), bands(band({ session: 2 }))), fetch);
  const offline = run(inside(), bands(band({ online: false })));
  assert.deepEqual(doings(inside(), bands(band({ online: false }))), []);
  assert.deepEqual(doings(offline, bands(band({ session: 2 }))), fetch);
});

test("a band that is emptied begins anew: members join again, whoever had left stays out", () => {
  const emptied = bands(band({ reset: 7 }));
  const begun = run(listed(), down("hi"));
  const anew = run(begun, emptied);
  assert.deepEqual(texts(anew), []);
  assert.equal(currentRoom(anew).characters, null);
  assert.deepEqual(doings(begun, emptied), [{ kind: "join", channelId: BAND }]);
  assert.deepEqual(doings(anew, emptied), []);
  assert.deepEqual(doings(anew, bands(band())), [], "a platform that was started anew");
  const left = run(listed(), { kind: "left", channelId: BAND });
  assert.deepEqual(doings(left, emptied), []);
});

test("after a lost link the band is opened again, and nothing can be sent meanwhile", () => {
  const lost = run(listed(), { kind: "link_lost", reason: "gone", tooLarge: false });
  assert.equal(closedReason(lost), "Not connected.");
  assert.deepEqual(doings(lost, { kind: "link_up" }), [{ kind: "open", channelId: BAND }]);
});

test("a band that the address names and nobody knows is said, and the first one shown", () => {
  const state = run(initialState({ name: "alice", band: "typo" }), bands(band()));
  assert.equal(state.bandId, BAND);
  assert.match(state.problem, /typo/);
});

test("a refused name leads back to the door with the platform's words", () => {
  const start = initialState({ name: "alice", band: "" });
  const state = run(start, { kind: "refused", reason: "too long" });
  assert.deepEqual([state.link, state.name, state.problem], ["idle", "", "too long"]);
});

// ---- messages ----------------------------------------------------------------------------------

test("an own message is shown at once, and what the service makes of it is a message of its own", () => {
  const state = run(listed(), said("moobius"), down("Moobius is Great!", { sender: ALICE }));
  const [own, answer] = currentRoom(state).messages;
  assert.deepEqual([own.direction, own.sender, own.status], ["up", ALICE, "sending"]);
  assert.deepEqual(own.recipients, [BOB]);
  assert.deepEqual([answer.direction, answer.content.text], ["down", "Moobius is Great!"]);
});

test("a receipt settles the message it names; a refusal of anything else is a problem", () => {
  const state = run(listed(), said("hi"));
  assert.equal(currentRoom(run(state, copy("r1", true))).messages[0].status, "sent");
  const refused = currentRoom(run(state, copy("r1", false))).messages[0];
  assert.deepEqual([refused.status, refused.reason], ["refused", "not today"]);
  assert.match(run(state, copy("r9", false, "feature_call")).problem, /feature_call: not today/);
  assert.equal(run(state, copy("r9", true)).problem, "");
});

test("a receipt says what the platform calls the message", () => {
  const context = { msg: "received", message_id: "m5" };
  const body = { request_id: "r1", origin_type: "msg_up", status: true, context };
  const state = run(listed(), said("hi"), frame("copy_client", body));
  assert.equal(currentRoom(state).messages[0].messageId, "m5");
});

test("a link that ends leaves what was under way unconfirmed, and names what was too large", () => {
  const state = run(listed(), said("one"), said("two", { requestId: "r2" }));
  const statuses = (tooLarge) =>
    currentRoom(run(state, { kind: "link_lost", reason: "", tooLarge })).messages.map(
      ({ status }) => status,
    );
  assert.deepEqual(statuses(false), ["unconfirmed", "unconfirmed"]);
  assert.deepEqual(statuses(true), ["unconfirmed", "refused"]);
});

test("the history takes the place of what was shown, each message once", () => {
  const up = (text) => ({ ...down(text).frame, type: "msg_up" });
  const before = run(
    listed(),
    down("old"),
    said("arrived"),
    said("lost", { requestId: "r2" }),
    { kind: "link_lost", reason: "", tooLarge: false },
    { kind: "link_up" },
    down("early"),
    down("twice"),
    down("twice"),
  );
  const history = [
    down("old").frame,
    { ...up("arrived"), body: { ...up("arrived").body, recipients: [BOB] } },
    down("missed").frame,
    down("early").frame,
    down("twice").frame,
  ];
  const state = run(before, opened({ history }));
  assert.deepEqual(texts(state), ["old", "arrived", "missed", "early", "twice", "lost", "twice"]);
  assert.equal(currentRoom(state).messages[1].status, "sent");
  assert.equal(currentRoom(state).messages[5].status, "unconfirmed");
});

test("at most 2,000 messages are kept, and each has an id of its own", () => {
  const state = run(inside(), ...Array.from({ length: 2010 }, (_, index) => down(String(index))));
  const { messages, older } = currentRoom(state);
  assert.deepEqual([messages.length, messages[0].content.text, older], [2000, "10", "there"]);
  assert.equal(new Set(messages.map(({ id }) => id)).size, 2000);
});

test("senders who are in no list are asked for once, and named when their profile comes", () => {
  const wand = down("tick", { sender: "local-wand" });
  const found = doings(listed(), wand, wand, down("x", { sender: "no_sender" }));
  assert.deepEqual(found, [{ kind: "profiles", userIds: ["local-wand"] }]);
  const data = { "local-wand": { username: "wand", user_context: { nickname: "Wand" } } };
  const state = run(listed(), wand);
  assert.equal(nameOf(state, "local-wand"), "local-wand");
  assert.equal(nameOf(run(state, { kind: "profiles", data }), "local-wand"), "Wand");
  assert.equal(nameOf(state, "no_sender"), "Service");
});

test("a message for another band is counted there until that band is chosen", () => {
  const other = down("psst", { channel_id: "local-b2" });
  const state = run(listed(), other);
  assert.deepEqual(texts(state), []);
  assert.equal(state.rooms.get("local-b2").unread, 1);
  const there = run(state, { kind: "band_chosen", channelId: "local-b2" });
  assert.deepEqual(texts(there), ["psst"]);
  assert.equal(currentRoom(there).unread, 0);
});

// ---- recipients --------------------------------------------------------------------------------

test("without a list only the Service can be written to, and the reason is said", () => {
  assert.equal(recipients(inside()).ids, null);
  assert.match(noListReason(inside()), /No character list has come yet/);
  assert.match(noListReason(run(inside(), bands(band({ online: false })))), /offline/);
  assert.deepEqual(recipients(run(inside(), { kind: "service_picked" })).ids, []);
});

test("All is every id of this user's list, in its order, self included", () => {
  const goal = recipients(listed());
  assert.deepEqual(goal.ids, [ALICE, BOB, MICKEY]);
  assert.equal(goal.label, "to 3");
});

test("All and Service exclude the rest; several characters can be picked, in the list's order", () => {
  const pick = (userId) => ({ kind: "character_picked", userId });
  const two = run(listed(), pick(MICKEY), pick(ALICE));
  assert.deepEqual(recipients(two).ids, [ALICE, MICKEY]);
  assert.deepEqual(recipients(run(two, { kind: "service_picked" })).ids, []);
  assert.deepEqual(recipients(run(two, { kind: "service_picked" }, pick(BOB))).ids, [BOB]);
  assert.deepEqual(recipients(run(two, { kind: "all_picked" })).ids, [ALICE, BOB, MICKEY]);
});

test("a whisper whose recipient has gone goes to nobody, neither to all nor to the Service", () => {
  const state = run(listed(), { kind: "character_picked", userId: BOB });
  assert.equal(recipients(run(state, userList(entry(ALICE, "Alice")))).ids, null);
  assert.equal(recipients(run(state, { kind: "character_picked", userId: BOB })).ids, null);
});

test("an empty list does not turn All into the Service", () => {
  assert.equal(recipients(run(inside(), userList())).ids, null);
});

// ---- keys, stage -------------------------------------------------------------------------------

test("keys come in all forms of the wire; an empty list hides them", () => {
  const features = [
    {
      feature_id: "key1",
      feature_name: "magic",
      button_text: "Do Some Magic",
      new_window: true,
      arguments: [
        { name: "Select Magic", type: "enum", optional: false, values: ["A", "B"], placeholder: "p" },
      ],
    },
    { feature_id: "key2", feature_name: "s", button_text: "Swap", new_window: false, arguments: null },
  ];
  const state = run(inside(), update("update_features", { features }));
  const [magic, swap] = currentRoom(state).features;
  assert.deepEqual([needsForm(magic), needsForm(swap)], [true, false]);
  assert.ok(needsForm({ ...magic, newWindow: false }) && needsForm({ ...swap, newWindow: true }));
  assert.deepEqual(magic.arguments[0].values, ["A", "B"]);
  const hidden = run(state, update("update_features", { features: [] }));
  assert.deepEqual(currentRoom(hidden).features, []);
});

test("the style shows, hides and folds the stage, in text and in booleans", () => {
  const style = (display, expand) =>
    update("update_style", { content: [{ widget: "playground", display, expand }] });
  const look = (...events) => {
    const { stageVisible, stageOpen } = currentRoom(run(inside(), ...events));
    return [stageVisible, stageOpen];
  };
  assert.deepEqual(look(style("visible", "true")), [true, true]);
  assert.deepEqual(look(style("visible", "false")), [true, false]);
  assert.deepEqual(look(style("visible", false)), [true, false]);
  assert.deepEqual(look(style("visible", false), style("visible", true)), [true, true]);
  assert.deepEqual(look(style("invisible", "true")), [false, true]);
  assert.deepEqual(look(style("visible", "false"), { kind: "stage_toggled" }), [true, true]);
  const other = update("update_style", { content: [{ widget: "channel", display: "invisible" }] });
  assert.deepEqual(look(other), [true, true]);
});

test("the stage holds a picture, a text, or both", () => {
  const stage = (content) =>
    currentRoom(run(inside(), update("update_playground", { content }))).stage;
  assert.deepEqual(stage({ path: "p", text: "t" }), [{ path: "p", text: "t" }]);
  assert.deepEqual(stage({ text: "t" }), [{ path: "", text: "t" }]);
  assert.deepEqual(stage({}), []);
});

// ---- wire --------------------------------------------------------------------------------------

test("list entries come with context or user_context", () => {
  const { user_context: context, ...rest } = entry(BOB, "Bob");
  const state = run(inside(), userList({ ...rest, context }, { user_id: "x", username: "xeno" }));
  assert.deepEqual(
    currentRoom(state).characters.map(({ nickname }) => nickname),
    ["Bob", "xeno"],
  );
});

test("nothing that arrives makes the reducer raise", () => {
  const strange = [null, 1, "x", [], {}];
  const bodies = [...strange, { channel_id: BAND }, { channel_id: {}, content: 1, recipients: 2 }];
  const types = ["msg_down", "msg_up", "update", "copy_client", "what"];
  const frames = types.flatMap((type) => bodies.map((body) => ({ type, body })));
  const parts = [...strange, [null], [1], [[]], [{}]];
  const updates = ["userlist", "features", "playground", "style", "menu"].flatMap((subtype) =>
    parts.map((value) => {
      const body = { channel_id: BAND, userlist: value, features: value, content: value, more: value };
      return { type: "update", body: { ...body, subtype: `update_${subtype}` } };
    }),
  );
  const odd = [...strange, ...frames, ...updates];
  const state = odd.reduce((last, value) => reduce(last, { kind: "frame", frame: value }), listed());
  assert.ok(recipients(state));
});

test("a time that no clock can show is none, and the message is shown", () => {
  for (const timestamp of [8.64e15 + 1, 2 ** 62, -(2 ** 62), "soon", null, {}]) {
    const state = run(inside(), down("hi", { timestamp }));
    assert.deepEqual(texts(state), ["hi"]);
    assert.equal(currentRoom(state).messages[0].timestamp, 0);
  }
  const last = run(inside(), down("hi", { timestamp: 8.64e15 }));
  assert.ok(new Date(currentRoom(last).messages[0].timestamp).toISOString());
});

test("the frames that go up are those of the protocol", () => {
  const message = { ...said("hi").message, recipients: [ALICE, BOB] };
  assert.deepEqual(messageFrame("r1", ALICE, message), {
    type: "msg_up",
    request_id: "r1",
    client_id: ALICE,
    body: {
      subtype: "text",
      channel_id: BAND,
      content: { text: "hi" },
      recipients: [ALICE, BOB],
      timestamp: 1700000000000,
      context: {},
    },
  });
  const key = { featureId: "key1", arguments: [{ name: "kind" }, { name: "note" }] };
  assert.deepEqual(callFrame("r2", ALICE, BAND, key, ["A"]).body, {
    feature_id: "key1",
    channel_id: BAND,
    sender: ALICE,
    arguments: [
      { name: "kind", value: "A" },
      { name: "note", value: "" },
    ],
    context: {},
  });
});

test("a picture goes up with its path alone", () => {
  const picture = said("", { subtype: "image", content: { text: "", path: "http://h/k.png" } });
  const { body } = messageFrame("r1", ALICE, picture.message);
  assert.deepEqual(body.content, { path: "http://h/k.png" });
});

test("channel info and other updates are not shown", () => {
  assert.deepEqual(readFrame({ type: "update", subtype: "channel_info", body: {} }), {
    kind: "other",
  });
});

// ---- addresses and names -----------------------------------------------------------------------

test("only this platform's bucket is loaded, and from the page's own origin", () => {
  const here = "http://127.0.0.1:8080";
  const own = (address) => addressKind(address, here).own;
  assert.equal(own("http://localhost:9999/bucket/a.png"), "/bucket/a.png");
  assert.equal(own("http://[::1]:8080/bucket/a.png"), "/bucket/a.png");
  assert.equal(own("/bucket/a.png"), "/bucket/a.png");
  assert.equal(own("http://127.0.0.1:8080/bucket/../local/bands"), "");
  assert.equal(own("http://127.0.0.1.evil.example/bucket/a.png"), "");
  assert.equal(own("https://evil.example/bucket/a.png"), "");
  assert.equal(addressKind("http://lan:1/bucket/a.png", "http://lan:1").own, "/bucket/a.png");
});

test("only http and https addresses are offered as links", () => {
  const link = (address) => addressKind(address, "http://127.0.0.1:8080").link;
  assert.equal(link("https://elsewhere.example/a.png"), "https://elsewhere.example/a.png");
  for (const bad of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "a.png", ""]) {
    assert.equal(link(bad), "");
  }
});

test("the next guest is one that this tab has not opened", () => {
  const state = initialState({ name: "alice", band: "" });
  assert.equal(nextGuest(state), "bob");
  assert.equal(nextGuest(run(state, { kind: "another_opened", name: "bob" })), "carol");
  assert.equal(nextGuest(initialState({ name: "Bob", band: "" })), "carol");
  assert.equal(nextGuest(initialState({ name: "zoe", band: "" })), "alice");
});

test("the platform's own words become a sentence", () => {
  const words = ["the platform is shutting down", "It ended (1006).", " ", ""];
  assert.deepEqual(words.map(sentence), ["The platform is shutting down.", "It ended (1006).", "", ""]);
});

test("names and sizes are written for people and addresses", () => {
  assert.equal(addressOf("a&b", "my band"), "/?as=a%26b&band=my+band");
  assert.deepEqual([sizeText(12), sizeText(2048), sizeText(12_900_000)], ["12 bytes", "2 KB", "12.3 MB"]);
});

// ---- the service --------------------------------------------------------------------------------

test("a band's state is the platform's word, else follows from its service", () => {
  const stateOf = (change) => readBands([band(change)])[0].state;
  assert.equal(stateOf({ state: "crashed", online: false }), "crashed");
  assert.equal(stateOf({ state: "on fire" }), "online");
  assert.equal(stateOf({ online: false }), "offline");
  assert.equal(stateOf({ online: false, service_id: null }), "none");
});

test("how the service runs comes with the bands, and its problem with file and line", () => {
  const problem = { summary: "SyntaxError: no", text: "…", file: "service.py", line: 3 };
  const service = { name: "demo", state: "crashed", restarts: 2, restart_seconds: 0.4, problem };
  const state = run(linked(), { ...bands(band()), service });
  assert.deepEqual(state.service, {
    name: "demo",
    state: "crashed",
    restarts: 2,
    restartSeconds: 0.4,
    problem,
  });
  const well = run(state, { ...bands(band()), service: { ...service, problem: null } });
  assert.equal(well.service.problem, null);
  assert.equal(run(state, bands(band())).service, null);
});

test("bands are listed under their services", () => {
  const rows = [band(), band({ channel_id: "b2", service_name: "quiz" }), band({ channel_id: "b3" })];
  const groups = bandsByService(run(linked(), bands(...rows)));
  const found = groups.map(({ label, bands: list }) => [label, list.map((one) => one.channelId)]);
  assert.deepEqual(found, [
    ["service demo", [BAND, "b3"]],
    ["service quiz", ["b2"]],
  ]);
});

test("what is said in another band is counted until that band is looked at", () => {
  const both = run(linked(), bands(band(), band({ channel_id: "b2", name: "quiz" })));
  const told = run(both, down("one", { channel_id: "b2" }), down("two", { channel_id: "b2" }));
  assert.deepEqual(unreadElsewhere(told), [{ channelId: "b2", name: "quiz", unread: 2 }]);
  assert.deepEqual(unreadElsewhere(run(told, { kind: "band_chosen", channelId: "b2" })), []);
});

// ---- people -------------------------------------------------------------------------------------

test("each character is asked about once, and puppets are marked", () => {
  const list = userList(entry(ALICE, "Alice"), entry(MICKEY, "Mickey 0"));
  const asked = doings(inside(), list, list).filter(({ kind }) => kind === "kinds");
  assert.deepEqual(asked, [{ kind: "kinds", userIds: [ALICE, MICKEY] }]);
  const state = run(inside(), list, { kind: "kinds", userIds: [ALICE, MICKEY], puppets: [MICKEY] });
  assert.deepEqual([...state.kinds], [[ALICE, "user"], [MICKEY, "puppet"]]);
});

test("characters nobody could tell of are asked about again with the next list", () => {
  const list = userList(entry(MICKEY, "Mickey 0"));
  const failed = { kind: "kinds_unknown", userIds: [MICKEY] };
  const asked = doings(inside(), list, failed, list).filter(({ kind }) => kind === "kinds");
  assert.equal(asked.length, 2);
});

test("a reply goes to whoever spoke, and to the Service where nobody did", () => {
  const picked = run(listed(), { kind: "reply_picked", userId: BOB });
  assert.deepEqual(recipients(picked).ids, [BOB]);
  assert.deepEqual(recipients(run(picked, { kind: "reply_picked", userId: "no_sender" })).ids, []);
  assert.equal(noReplyReason(listed(), BOB), "");
  assert.equal(noReplyReason(listed(), "no_sender"), "");
  assert.match(noReplyReason(listed(), "local-gone"), /not on your list/);
});

test("who is renamed is called so at once", () => {
  const state = run(listed(), { kind: "renamed", nickname: "Ally" });
  assert.deepEqual([state.me.nickname, nameOf(state, ALICE)], ["Ally", "Ally"]);
});

// ---- files --------------------------------------------------------------------------------------

test("a file is a picture, a sound, or a file to be saved", () => {
  const kinds = ["image/png", "image/svg+xml", "audio/mpeg", "application/pdf", ""];
  const found = kinds.map((type) => subtypeOf({ type }));
  assert.deepEqual(found, ["image", "file", "audio", "file", "file"]);
  assert.equal(extensionOf({ name: "A.JPG", type: "image/png" }), "jpg");
  assert.equal(extensionOf({ name: "pasted", type: "image/png" }), "png");
});

test("a file's name and size come with its message, else its address names it", () => {
  const content = { path: "http://127.0.0.1/bucket/k.pdf", filename: "plan.pdf", size: 12 };
  const state = run(inside(), down("", { subtype: "file", content }));
  const [message] = currentRoom(state).messages;
  const { text, path, filename, size } = message.content;
  assert.deepEqual({ text, path, filename, size }, { text: "", ...content });
  assert.equal(fileName(message.content), "plan.pdf");
  assert.equal(fileName({ ...message.content, filename: "" }), "k.pdf");
});

test("a message can be copied as it came", () => {
  const came = down("hi");
  assert.deepEqual(currentRoom(run(inside(), came)).messages[0].frame, came.frame);
});

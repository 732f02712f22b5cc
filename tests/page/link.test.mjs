// The page's hands with a socket and a platform that this file plays: `node --test tests/page`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Link } from "../../moobius_trio/local/page/link.js";

const BAND = "local-b1";
const OTHER = "local-b2";
const ORIGIN = "http://127.0.0.1:1";
const OPEN = 1;

const sockets = [];

class FakeSocket {
  static OPEN = OPEN;
  readyState = OPEN;
  sent = [];
  constructor(address) {
    this.address = address;
    sockets.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.readyState = 3;
  }
}

/** The bucket: tells of half the file, and takes it once `finish` is called. */
class FakeUpload {
  static open = [];
  upload = {};
  open() {}
  send() {
    FakeUpload.open.push(this);
    this.upload.onprogress({ loaded: 2 });
  }
  finish(status = 204, reply = {}) {
    Object.assign(this, { status, responseText: JSON.stringify(reply) });
    this.onload();
  }
  abort() {
    this.onabort();
  }
}

const REPLIES = {
  "/local/guest": { AuthenticationResult: { AccessToken: "t" }, user_id: "a", nickname: "Alice" },
  "/local/membership": { member: true },
  "/local/history": [],
  "/local/groups": [],
  "/file/upload": { url: `${ORIGIN}/bucket/`, fields: { key: "k.png" } },
};

Object.assign(globalThis, {
  WebSocket: FakeSocket,
  XMLHttpRequest: FakeUpload,
  document: { addEventListener() {} },
  location: { origin: ORIGIN, href: `${ORIGIN}/?as=alice` },
  history: { replaceState() {} },
  sessionStorage: { getItem: () => null, setItem() {}, removeItem() {} },
  fetch: async (path, { method, body }) => {
    calls.push([method, path, body && JSON.parse(body)]);
    const data = REPLIES[path.split("?")[0]];
    return new Response(JSON.stringify({ code: 10000, data }));
  },
});

const calls = [];
const turns = () => new Promise((resolve) => setTimeout(resolve));

/** A link whose user is in both bands, with a service and a list in the first. */
async function opened() {
  const link = new Link({ name: "alice", band: BAND }, () => {});
  link.start();
  await turns();
  const [socket, watch] = sockets.splice(0);
  socket.onopen({});
  const rows = [BAND, OTHER].map((channel_id) => ({ channel_id, name: channel_id, online: true }));
  watch.onmessage({ data: JSON.stringify({ bands: rows }) });
  await turns();
  link.dispatch({ kind: "service_picked" });
  return { link, socket };
}

/** The upload that the link has just begun. */
async function upload() {
  while (FakeUpload.open.length === 0) await turns();
  return FakeUpload.open.shift();
}

const picture = (name = "x.png") => new File(["four"], name, { type: "image/png" });
const lastMessage = (socket) => socket.sent.findLast(({ type }) => type === "msg_up")?.body;

test("a file goes to the band it was chosen for, whatever band is shown when it is uploaded", async () => {
  const { link, socket } = await opened();
  const sending = link.sendFiles([picture()]);
  link.chooseBand(OTHER);
  (await upload()).finish();
  await sending;
  const body = lastMessage(socket);
  assert.equal(body.channel_id, BAND);
  assert.equal(body.subtype, "image");
  assert.deepEqual(body.content, { path: `${ORIGIN}/bucket/k.png`, filename: "x.png", size: 4 });
  assert.equal(link.state.problem, "");
});

test("files go one after the other, each with its progress", async () => {
  const { link, socket } = await opened();
  const sending = link.sendFiles([picture("one.png"), picture("two.png")]);
  const first = await upload();
  const shown = () => link.state.uploads.map(({ name, size, sent }) => [name, size, sent]);
  assert.deepEqual(shown(), [["one.png", 4, 2], ["two.png", 4, 0]]);
  assert.equal(FakeUpload.open.length, 0);
  first.finish();
  (await upload()).finish();
  await sending;
  assert.deepEqual(shown(), []);
  const names = socket.sent.filter(({ type }) => type === "msg_up").map(({ body }) => body.content.filename);
  assert.deepEqual(names, ["one.png", "two.png"]);
});

test("a file that is stopped is not sent, and the next one is", async () => {
  const { link, socket } = await opened();
  const sending = link.sendFiles([picture("one.png"), picture("two.png")]);
  await upload();
  link.cancelUpload(link.state.uploads[0].id);
  (await upload()).finish();
  await sending;
  assert.equal(lastMessage(socket).content.filename, "two.png");
  assert.equal(socket.sent.filter(({ type }) => type === "msg_up").length, 1);
  assert.match(link.state.told, /“one.png” .*was not sent/);
  assert.equal(link.state.problem, "");
});

test("what the platform says against a file is shown", async () => {
  const { link, socket } = await opened();
  const sending = link.sendFiles([picture()]);
  (await upload()).finish(507, { code: 10507, msg: "no room" });
  await sending;
  assert.match(link.state.problem, /“x.png” .*could not be sent: no room/);
  assert.equal(lastMessage(socket), undefined);
});

test("a file that is too large is named with the limit, and not begun", async () => {
  const { link } = await opened();
  await link.sendFiles([{ name: "big.bin", size: 21 * 1024 * 1024, type: "" }]);
  assert.match(link.state.problem, /“big.bin” \(21.0 MB\) is too large.* 20.0 MB/);
  assert.deepEqual(link.state.uploads, []);
});

test("a file for nobody is not begun, and the reason is told", async () => {
  const { link } = await opened();
  link.dispatch({ kind: "all_picked" });
  await link.sendFiles([picture()]);
  assert.match(link.state.problem, /Nothing was sent/);
  assert.deepEqual(link.state.uploads, []);
});

test("a file whose connection has ended meanwhile is named, and not lost in silence", async () => {
  const { link, socket } = await opened();
  const sending = link.sendFiles([picture()]);
  socket.close();
  (await upload()).finish();
  await sending;
  assert.match(link.state.problem, /“x.png”.*could not be sent/);
});

test("a key whose form is sent while nobody is connected is named", async () => {
  const { link, socket } = await opened();
  socket.close();
  const asked = { featureId: "k", label: "Ask", arguments: [] };
  link.answer({ channelId: BAND, asked, message: null }, []);
  assert.match(link.state.problem, /“Ask” was not sent/);
});

test("an item of a menu is sent at once; one with a form when its button is pressed", async () => {
  const { link, socket } = await opened();
  const frame = { body: { content: { text: "hi" } } };
  const message = { messageId: "m1", subtype: "text", frame };
  const item = { menuItemId: "plain", label: "Mark", arguments: [], dialog: null };
  link.choose(item, message);
  assert.equal(socket.sent.at(-1).body.menu_item_id, "plain");
  link.choose({ ...item, menuItemId: "form", arguments: [{ name: "why" }] }, message);
  assert.equal(socket.sent.at(-1).body.menu_item_id, "plain", "the form is open");
  link.answer(link.state.form, ["so"], "later");
  const { menu_item_id, message_id, bottom_button_id, arguments: filled } = socket.sent.at(-1).body;
  assert.deepEqual([menu_item_id, message_id, bottom_button_id], ["form", "m1", "later"]);
  assert.deepEqual(filled, [{ name: "why", value: "so" }]);
});

test("older messages are asked for once at a time, before the oldest one", async () => {
  const { link } = await opened();
  const history = [{ type: "msg_down", body: { channel_id: BAND, content: {}, message_id: "m9" } }];
  const channelId = BAND;
  link.dispatch({ kind: "opened", channelId, member: true, hasLeft: false, history, more: true });
  calls.length = 0;
  const asking = link.older();
  link.older();
  await asking;
  const [[method, path], ...others] = calls.filter(([, path]) => path.startsWith("/local/history"));
  assert.deepEqual([method, new URL(path, ORIGIN).searchParams.get("before")], ["GET", "m9"]);
  assert.deepEqual(others, []);
  assert.equal(link.state.rooms.get(BAND).older, "none");
  history[0].body = { ...history[0].body, message_id: "", timestamp: 1700000000000 };
  link.dispatch({ kind: "opened", channelId, member: true, hasLeft: false, history, more: true });
  await link.older();
  const [, nameless] = calls.filter(([, path]) => path.startsWith("/local/history"));
  assert.match(nameless[1], /before=1700000000000$/);
});

test("a group is made, the list had anew, and it is picked", async () => {
  const { link } = await opened();
  calls.length = 0;
  REPLIES["/local/groups"] = { group_id: "g1" };
  const making = link.makeGroup("Team", ["b", "a"]);
  REPLIES["/local/groups"] = [{ group_id: "g1", name: "Team", members: ["b", "a"] }];
  await making;
  assert.deepEqual(calls[0], ["POST", "/local/groups", { band: BAND, name: "Team", members: ["b", "a"] }]);
  const { to, groups } = link.state.rooms.get(BAND);
  assert.deepEqual([to.groupId, groups[0].members], ["g1", ["b", "a"]]);
});

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
  "/file/upload": { url: `${ORIGIN}/bucket/`, fields: { key: "k.png" } },
};

Object.assign(globalThis, {
  WebSocket: FakeSocket,
  XMLHttpRequest: FakeUpload,
  document: { addEventListener() {} },
  location: { origin: ORIGIN, href: `${ORIGIN}/?as=alice` },
  history: { replaceState() {} },
  sessionStorage: { getItem: () => null, setItem() {}, removeItem() {} },
  fetch: async (path) => {
    const data = REPLIES[path.split("?")[0]];
    return new Response(JSON.stringify({ code: 10000, data }));
  },
});

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
  link.call(BAND, { featureId: "k", buttonText: "Ask", arguments: [] }, []);
  assert.match(link.state.problem, /“Ask” was not sent/);
});

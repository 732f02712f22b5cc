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

const REPLIES = {
  "/local/guest": { AuthenticationResult: { AccessToken: "t" }, user_id: "a", nickname: "Alice" },
  "/local/membership": { member: true },
  "/local/history": [],
  "/file/upload": { url: `${ORIGIN}/bucket/`, fields: { key: "k.png" } },
};

Object.assign(globalThis, {
  WebSocket: FakeSocket,
  document: { addEventListener() {} },
  location: { origin: ORIGIN, href: `${ORIGIN}/?as=alice` },
  history: { replaceState() {} },
  sessionStorage: { getItem: () => null, setItem() {}, removeItem() {} },
  fetch: async (path) => {
    const data = REPLIES[path.split("?")[0]];
    if (data === undefined) return new Response(null, { status: 204 }); // the bucket
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

test("a picture goes to the band it was chosen for, whatever band is shown when it is uploaded", async () => {
  const { link, socket } = await opened();
  const sending = link.sendPicture(new File(["x"], "x.png"));
  link.chooseBand(OTHER);
  await sending;
  const { body } = socket.sent.findLast(({ type }) => type === "msg_up");
  assert.equal(body.channel_id, BAND);
  assert.deepEqual(body.content, { path: `${ORIGIN}/bucket/k.png` });
  assert.equal(link.state.problem, "");
});

test("a picture whose connection has ended meanwhile is named, and not lost in silence", async () => {
  const { link, socket } = await opened();
  const sending = link.sendPicture(new File(["x"], "x.png"));
  socket.close();
  await sending;
  assert.match(link.state.problem, /“x.png”.*could not be sent/);
});

test("a key whose form is sent while nobody is connected is named", async () => {
  const { link, socket } = await opened();
  socket.close();
  link.call(BAND, { featureId: "k", buttonText: "Ask", arguments: [] }, []);
  assert.match(link.state.problem, /“Ask” was not sent/);
});

// The hands of the builder's panel with a socket and a link that this file plays.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { Inspection } from "../../moobius_trio/local/page/inspect_link.js";

const sockets = [];
let drawn = [];

class FakeSocket {
  closed = false;
  constructor(address) {
    this.address = String(address);
    sockets.push(this);
  }
  close() {
    this.closed = true;
  }
}

const saved = [];
Object.assign(globalThis, {
  WebSocket: FakeSocket,
  location: { href: "http://127.0.0.1:1/?as=alice" },
  requestAnimationFrame: (draw) => drawn.push(draw),
  document: {
    createElement: () => ({
      click() {
        saved.push(this.download);
      },
    }),
  },
});

/** An inspection with a link whose calls are answered by `answers`: path and `do` → data or error. */
function opened(answers = {}) {
  const link = {
    asked: [],
    sent: [],
    connected: true,
    async ask(method, path, body) {
      this.asked.push(body?.do ?? path);
      const answer = answers[body?.do ?? path] ?? {};
      if (answer instanceof Error) throw answer;
      return answer;
    },
    sendText(text) {
      if (this.connected) this.sent.push(text);
      return this.connected;
    },
  };
  let changes = 0;
  const inspection = new Inspection(link, () => changes++);
  return { link, inspection, changes: () => changes };
}

const copy = (requestId, status = true, context = {}) => ({
  type: "copy_client",
  body: { request_id: requestId, origin_type: "msg_up", status, context },
});

beforeEach(() => {
  sockets.length = 0;
  drawn = [];
});

test("however much is told, the panel is drawn once per picture", () => {
  const { inspection, changes } = opened();
  inspection.open();
  const [socket] = sockets;
  assert.equal(socket.address, "ws://127.0.0.1:1/local/inspect");
  socket.onmessage({ data: '{"kind": "hello", "kept": []}' });
  socket.onmessage({ data: '{"kind": "frame", "n": 1}' });
  assert.equal(inspection.panel.frames.length, 1);
  assert.equal(drawn.length, 1);
  drawn.shift()();
  assert.equal(changes(), 1);
  socket.onmessage({ data: '{"kind": "frame", "n": 2}' });
  assert.equal(drawn.length, 1);
});

test("a socket that ends is opened again, later and later; one that was closed is not", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { inspection } = opened();
  inspection.open();
  sockets[0].onclose();
  assert.equal(inspection.panel.link, "lost");
  mock.timers.tick(500);
  assert.equal(sockets.length, 2);
  sockets[1].onclose();
  mock.timers.tick(500);
  assert.equal(sockets.length, 2);
  mock.timers.tick(500);
  assert.equal(sockets.length, 3);
  inspection.close();
  assert.equal(sockets[2].closed, true);
  sockets[2].onclose();
  sockets[2].onmessage({ data: '{"kind": "frame", "n": 1}' });
  mock.timers.tick(60_000);
  assert.deepEqual([sockets.length, inspection.panel.link, inspection.panel.frames], [3, "closed", []]);
  mock.timers.reset();
});

test("the receipt of a raw frame is taken from the chat, any other is left to it", () => {
  const { link, inspection } = opened();
  inspection.dispatch({ kind: "raw_opened", text: '{"type": "msg_up", "request_id": ""}' });
  inspection.sendRaw();
  const { request_id: requestId } = JSON.parse(link.sent[0]);
  assert.match(requestId, /^[0-9a-f-]{36}$/);
  assert.equal(link.claim(copy("another")), false);
  assert.equal(link.claim({ type: "msg_down", body: { request_id: requestId } }), false);
  assert.equal(link.claim(copy(requestId, false, { message: "no body" })), true);
  assert.deepEqual([inspection.panel.raw.state, inspection.panel.raw.reason], ["refused", "no body"]);
  assert.equal(link.claim(copy(requestId)), false);
});

test("a raw frame that cannot go up says so", () => {
  const { link, inspection } = opened();
  link.connected = false;
  inspection.dispatch({ kind: "raw_opened", text: "{" });
  inspection.sendRaw();
  assert.deepEqual([inspection.panel.raw.state, inspection.panel.raw.reason], ["refused", "not connected."]);
});

test("what is done is told of when the platform has done it, with how things stand then", async () => {
  const { link, inspection } = opened({ "/local/control": { can: ["slow"], slow_seconds: 1 } });
  const doing = inspection.act({ do: "slow", seconds: 1 }, "Slower.");
  assert.equal(inspection.panel.busy, true);
  await doing;
  assert.deepEqual(link.asked, ["slow", "/local/control"]);
  assert.equal(inspection.panel.control.slowSeconds, 1);
  assert.deepEqual(inspection.panel.news, { text: "Slower.", bad: false });
});

test("what the platform refuses is told in its words", async () => {
  const { inspection } = opened({ run_job: new Error("There is no job tea.") });
  await inspection.act({ do: "run_job", name: "tea" }, "Done.");
  assert.deepEqual(inspection.panel.news, { text: "There is no job tea.", bad: true });
  assert.equal(inspection.panel.busy, false);
});

test("a platform that does not say what it can do says why", async () => {
  const { inspection } = opened({ "/local/control": new Error("There is no such path.") });
  await inspection.refresh("control");
  assert.deepEqual([inspection.panel.control, inspection.panel.controlReason], [null, "There is no such path."]);
});

test("a tape is saved as a file, and one that is checked has an outcome", async () => {
  const difference = { step: 1, did: ["Alice says 'hi'"], who: "Bob", got: { a: 1 }, text: "…" };
  const { link, inspection } = opened({
    "/local/tapes": { recording: true },
    stop: { tape: "{}\n", name: "tape-1.jsonl", ups: 2, downs: 5, left_out: 0 },
    check: { same: false, difference },
  });
  await inspection.startTape();
  assert.equal(inspection.panel.tapes.recording, true);
  await inspection.stopTape();
  assert.equal(inspection.panel.news.text, "Saved as tape-1.jsonl: 2 done, 5 seen.");
  assert.deepEqual(saved, ["tape-1.jsonl"]);
  const file = { name: "mine.jsonl", text: async () => "{}\n" };
  await inspection.useTape("check", file);
  assert.deepEqual(inspection.panel.outcome, {
    name: "mine.jsonl",
    same: false,
    difference: { ...difference, band: "", expected: null },
  });
  await inspection.useTape("play", file);
  assert.equal(inspection.panel.outcome.same, null);
  assert.deepEqual(link.asked.filter((word) => word !== "/local/tapes"), ["start", "stop", "check", "play"]);
});

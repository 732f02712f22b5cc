// The builder's panel without a browser: what it keeps, what it lists, what it sends.

import assert from "node:assert/strict";
import { test } from "node:test";

import { initialPanel, reducePanel } from "../../moobius_trio/local/page/inspect_reduce.js";
import {
  aheadOf,
  differenceOf,
  durationOf,
  frameToEdit,
  frameToSend,
  frameToWrite,
  openedOf,
  pretty,
  recipientsOf,
  recordedOf,
  recordsOf,
  rowsOf,
  standing,
  stateOf,
  titleOf,
  troubleOf,
  whyNot,
} from "../../moobius_trio/local/page/inspect_select.js";

const ALICE = "local-alice";
const BOB = "local-bob";
const CAROL = "local-carol";
const NAMES = { [ALICE]: "Alice", [BOB]: "Bob", [CAROL]: "Carol" };

const record = (n, change = {}) => ({
  kind: "frame",
  n,
  at: 1_000 + n,
  direction: "up",
  type: "msg_up",
  subtype: "text",
  band: "local-demo",
  from: ALICE,
  to: ["service"],
  names: NAMES,
  cause: null,
  handler: "",
  milliseconds: null,
  records: null,
  error: "",
  refused: "",
  bytes: 10,
  frame: "{}",
  ...change,
});
const down = (n, to, change = {}) =>
  record(n, { direction: "down", type: "msg_down", from: "service", to, ...change });

const told = (news) => ({ kind: "told", news });
const hello = (...kept) => told({ kind: "hello", kept });
const run = (panel, ...events) => events.reduce(reducePanel, panel);
const after = (...news) => run(initialPanel(), hello(), ...news.map(told));
const numbers = (panel, userId = ALICE) =>
  rowsOf(panel, userId).map(({ record: { n }, level }) => (level === 1 ? n : `+${n}`));

// ---- what is kept --------------------------------------------------------------------------------

test("the newest 500 frames are kept", () => {
  const panel = after(...Array.from({ length: 503 }, (_, index) => record(index + 1)));
  assert.equal(panel.frames.length, 500);
  assert.deepEqual([panel.frames[0].n, panel.frames.at(-1).n], [4, 503]);
});

test("frames of the link do not displace the others", () => {
  const receipts = Array.from({ length: 700 }, (_, index) => record(index + 2, { type: "copy_client" }));
  const panel = after(record(1), ...receipts);
  assert.equal(panel.frames.length, 101);
  assert.deepEqual([panel.frames[0].n, panel.frames[1].n], [1, 602]);
});

test("a frame learns later who took it, how long that took, and what went wrong", () => {
  const handled = { handler: "Demo.on_msg_up", milliseconds: 4.2, records: 1, error: "KeyError" };
  const panel = after(record(1), record(2), { kind: "handled", n: 1, ...handled });
  assert.deepEqual(panel.frames.map(({ handler }) => handler), ["Demo.on_msg_up", ""]);
  assert.equal(troubleOf(panel.frames[0]), "KeyError");
  const same = run(panel, told({ kind: "handled", n: 99, ...handled }));
  assert.equal(same, panel);
});

test("a frame whose cause becomes known later goes under it", () => {
  const panel = after(record(1), record(2), down(3, [ALICE]), { kind: "handled", n: 3, cause: 1 });
  assert.deepEqual(numbers(panel), [1, "+3", 2]);
});

test("what was too fast to be told is counted until the list is cleared", () => {
  const panel = after({ kind: "missed", count: 7 }, { kind: "missed", count: 5 });
  assert.equal(standing(panel, ALICE), "12 too fast to be told");
  assert.equal(standing(run(panel, { kind: "clear_pressed" }), ALICE), "");
});

test("a reconnect shows what the platform kept, without what was cleared here", () => {
  const cleared = run(after(record(1), record(2)), { kind: "clear_pressed" });
  assert.deepEqual(numbers(cleared), []);
  const again = run(cleared, { kind: "link_lost" }, hello(record(1), record(2), record(3)));
  assert.deepEqual(numbers(again), [3]);
  assert.equal(again.link, "up");
});

test("a platform that was restarted counts anew, and all of its frames are shown", () => {
  const cleared = run(after(record(7)), { kind: "clear_pressed" }, hello(record(1)));
  assert.deepEqual(numbers(cleared), [1]);
});

test("the platform may clear the list, a paused one too", () => {
  const panel = run(after(record(1)), { kind: "pause_pressed" }, told({ kind: "cleared" }));
  assert.deepEqual(numbers(panel), []);
});

test("whatever is told, the panel has texts, numbers and lists", () => {
  const odd = { kind: "frame", n: "x", to: null, names: 3, milliseconds: "slow", frame: null };
  const panel = after(odd, { kind: "news" });
  const [shown] = panel.frames;
  assert.deepEqual([shown.n, shown.to, shown.names, shown.milliseconds, shown.frame], [0, [], {}, null, ""]);
  assert.equal(run(panel, told(null)), panel);
});

// ---- what is listed ------------------------------------------------------------------------------

test("what a frame caused stands under it, whatever came between", () => {
  const panel = after(
    record(1),
    record(2, { from: BOB }),
    down(3, [BOB], { cause: 2 }),
    down(4, [ALICE], { cause: 1 }),
    down(5, [ALICE, BOB], { cause: 1 }),
    down(6, [ALICE]),
  );
  const everyone = run(panel, { kind: "everyone_chosen", everyone: true });
  assert.deepEqual(numbers(everyone), [1, "+4", "+5", 2, "+3", 6]);
  assert.deepEqual(rowsOf(everyone, ALICE).map(({ effects }) => effects), [2, 0, 0, 1, 0, 0]);
});

test("mine are those I sent, what they caused, and those sent to me", () => {
  const panel = after(
    record(1),
    down(2, [BOB], { cause: 1 }),
    record(3, { from: BOB }),
    down(4, [ALICE], { cause: 3 }),
    down(5, [BOB], { cause: 3 }),
  );
  assert.deepEqual(numbers(panel), [1, "+2", 4]);
  assert.deepEqual(numbers(panel, BOB), [2, 3, "+4", "+5"]);
  assert.deepEqual(numbers(panel, CAROL), []);
});

test("frames of the link are hidden until they are asked for", () => {
  const types = ["user_login", "heartbeat", "copy", "copy_client", "ping"];
  const panel = after(record(1), ...types.map((type, index) => record(index + 2, { type })));
  assert.deepEqual(numbers(panel), [1]);
  const all = run(panel, { kind: "link_frames_chosen", linkFrames: true });
  assert.deepEqual(numbers(all), [1, 2, 3, 4, 5, 6]);
});

test("a filter wants all its words, anywhere in the frame, and keeps a cause with its effect", () => {
  const panel = after(
    record(1, { type: "feature_call", subtype: "key1", handler: "Demo.on_feature_call" }),
    down(2, [ALICE], { cause: 1, frame: '{"body":"Mickey 0"}' }),
    down(3, [ALICE, BOB], { cause: 1 }),
    record(4, { error: "ZeroDivisionError" }),
  );
  const filtered = (text) => numbers(run(panel, { kind: "filter_typed", text }));
  assert.deepEqual(filtered("  "), [1, "+2", "+3", 4]);
  assert.deepEqual(filtered("mickey"), [1, "+2"]);
  assert.deepEqual(filtered("on_feature KEY1"), [1, "+2", "+3"]);
  assert.deepEqual(filtered("bob msg_down"), [1, "+3"]);
  assert.deepEqual(filtered("zerodiv"), [4]);
  assert.deepEqual(filtered("nothing like it"), []);
});

test("while it is paused nothing moves, and what comes is counted as it would be shown", () => {
  const paused = run(after(record(1)), { kind: "pause_pressed" });
  const later = run(
    paused,
    ...[record(2), record(3, { type: "heartbeat" }), record(4, { from: BOB })].map(told),
    told({ kind: "handled", n: 1, handler: "late" }),
  );
  assert.deepEqual(numbers(later), [1]);
  assert.equal(standing(later, ALICE), "Paused, 1 new");
  const on = run(later, { kind: "pause_pressed" });
  assert.deepEqual(numbers(on), [1, 2]);
  assert.equal(standing(on, ALICE), "");
  assert.equal(on.frames[0].handler, "late");
});

test("a frame that is opened comes with its cause, its effects and what was before", () => {
  const panel = run(after(record(1), record(2), down(3, [ALICE], { cause: 2 })), { kind: "opened", n: 2 });
  const { record: shown, effects, cause, before } = openedOf(panel);
  assert.deepEqual([shown.n, effects.map(({ n }) => n), cause, before.map(({ n }) => n)], [2, [3], null, [1]]);
  assert.equal(openedOf(run(panel, { kind: "opened", n: 3 })).cause.n, 2);
  assert.equal(openedOf(run(panel, { kind: "opened", n: 2 })), null);
  assert.equal(openedOf(run(panel, { kind: "clear_pressed" })), null);
});

test("frames are described in words", () => {
  const shown = (change) => after(record(1, change)).frames[0];
  assert.equal(titleOf(shown({ type: "update", subtype: "update_style" })), "update_style");
  assert.equal(titleOf(shown({ type: "feature_call", subtype: "key1" })), "feature_call key1");
  assert.equal(titleOf(shown({ type: "", subtype: "" })), "no frame");
  assert.equal(recipientsOf(shown({})), "Service");
  assert.equal(recipientsOf(shown({ to: [] })), "nobody");
  assert.equal(recipientsOf(shown({ to: [ALICE, BOB, CAROL, "local-x"] })), "Alice, Bob and 2 more");
  assert.deepEqual(
    [null, 0.04, 9.94, 12.6, 1234].map((milliseconds) => durationOf({ milliseconds })),
    ["", "0.0 ms", "9.9 ms", "13 ms", "1.2 s"],
  );
  assert.deepEqual([null, 0, 1, 3].map((records) => recordsOf({ records })), [
    "",
    "",
    "1 record saved",
    "3 records saved",
  ]);
  assert.equal(troubleOf(shown({ refused: "too large" })), "Too large");
});

test("a call goes by its key", () => {
  const frame = JSON.stringify({ body: { feature_id: "key1" } });
  const call = after(record(1, { type: "feature_call", subtype: "", frame })).frames[0];
  assert.equal(titleOf(call), "feature_call key1");
});

test("a row shows what was said or filled in, in one line", () => {
  const preview = (body) => after(record(1, { frame: JSON.stringify({ body }) })).frames[0].preview;
  assert.equal(preview({ content: { text: " two\n lines " } }), "two lines");
  assert.equal(preview({ content: { path: "/bucket/a.png" } }), "/bucket/a.png");
  assert.equal(preview({ arguments: [{ name: "kind", value: "A" }, { name: "n", value: 3 }] }), "kind: A, n: 3");
  assert.equal(preview({ userlist: [] }), "");
  assert.equal(preview({ menu_item_id: "like", arguments: [{ name: "why", value: "so" }] }), "like, why: so");
  assert.equal(after(record(1, { frame: "no JSON" })).frames[0].preview, "");
});

test("a frame of a service in generation 1 is shown as it was, and read in the page's own words", () => {
  const frame = JSON.stringify({ type: "action", body: { button_id: "k", arguments: [{ label: "why" }] } });
  const body = { feature_id: "k", arguments: [{ name: "why", value: "so" }] };
  const plain = JSON.stringify({ type: "feature_call", body });
  const shown = after(record(1, { type: "feature_call", subtype: "k", frame, plain })).frames[0];
  assert.deepEqual([shown.frame, shown.preview], [frame, "why: so"]);
  assert.deepEqual(JSON.parse(frameToEdit(shown, ALICE)).body, body);
});

test("a frame's text is shown with one value a line, or as it is", () => {
  assert.equal(pretty('{"a":[1]}'), '{\n  "a": [\n    1\n  ]\n}');
  assert.equal(pretty('{"a":'), '{"a":');
});

// ---- the raw box ---------------------------------------------------------------------------------

test("a frame of one's own begins as a message to the Service", () => {
  const frame = JSON.parse(frameToWrite(ALICE, "local-b1", 5));
  assert.equal(frame.client_id, ALICE);
  assert.deepEqual(frame.body, {
    subtype: "text",
    channel_id: "local-b1",
    content: { text: "hello" },
    recipients: [],
    timestamp: 5,
    context: {},
  });
});

test("what anybody sent up can be edited and sent as one's own; the rest is left as it is", () => {
  const body = { subtype: "text", channel_id: "b" };
  const of = (frame) => after(record(1, { frame: JSON.stringify(frame) })).frames[0];
  const edited = JSON.parse(frameToEdit(of({ type: "msg_up", request_id: "1", client_id: BOB, body }), ALICE));
  assert.deepEqual(edited, { type: "msg_up", request_id: "", client_id: ALICE, body });
  const other = { type: "msg_down", request_id: "1", client_id: "service", body };
  assert.deepEqual(JSON.parse(frameToEdit(of(other), ALICE)), other);
});

test("a frame goes up with a fresh id if that is wanted and it has one, else to the letter", () => {
  const wrong = '{"type": "msg_up", "request_id": "mine" ';
  assert.deepEqual(frameToSend(wrong, "fresh"), { text: wrong, requestId: "" });
  const right = '{"type": "x",  "request_id": "mine"}';
  assert.deepEqual(frameToSend(right, ""), { text: right, requestId: "mine" });
  assert.deepEqual(frameToSend(right, "fresh"), {
    text: '{"type":"x","request_id":"fresh"}',
    requestId: "fresh",
  });
  assert.deepEqual(frameToSend("[1]", "fresh"), { text: "[1]", requestId: "" });
  assert.deepEqual(frameToSend('{"type": 1}', "fresh"), { text: '{"type": 1}', requestId: "" });
});

test("the platform's receipt for it is shown, and for nothing else", () => {
  const sent = run(
    initialPanel(),
    { kind: "raw_opened", text: "{}" },
    { kind: "raw_sent", requestId: "r1" },
  );
  const receipt = (requestId, good, reason = "") => ({ kind: "receipt", requestId, good, reason });
  assert.equal(run(sent, receipt("r2", true)).raw.state, "sent");
  assert.equal(run(sent, receipt("r1", true)).raw.state, "taken");
  const refused = run(sent, receipt("r1", false, "it has no body"));
  assert.deepEqual([refused.raw.state, refused.raw.reason], ["refused", "it has no body"]);
  assert.equal(run(refused, receipt("r1", true)), refused);
  const typed = run(refused, { kind: "raw_typed", text: "{" });
  assert.deepEqual([typed.raw.state, typed.raw.text, typed.raw.reason], ["editing", "{", ""]);
  const lost = run(sent, { kind: "raw_failed", reason: "cut" });
  assert.deepEqual([lost.raw.state, lost.raw.reason], ["refused", "cut"]);
  assert.equal(run(sent, { kind: "raw_closed" }, receipt("r1", true)).raw, null);
});

test("whether ids are fresh stays as it was chosen when another frame is taken", () => {
  const panel = run(
    initialPanel(),
    { kind: "raw_opened", text: "{}" },
    { kind: "raw_fresh_chosen", fresh: false },
    { kind: "raw_opened", text: "[]" },
  );
  assert.deepEqual([panel.raw.text, panel.raw.fresh], ["[]", false]);
});

// ---- time and faults -----------------------------------------------------------------------------

const control = (data) => run(initialPanel(), { kind: "control", data });

test("a tool that the platform does not have says why", () => {
  assert.match(whyNot(initialPanel(), "slow"), /not said yet/);
  const panel = control({ can: ["slow"] });
  assert.equal(whyNot(panel, "slow"), "");
  assert.match(whyNot(panel, "restart"), /moobius-trio dev/);
  assert.match(whyNot(panel, "reset_band"), /cannot/);
  assert.match(whyNot(run(panel, { kind: "control_failed", reason: "no" }), "slow"), /not said yet/);
});

test("what the platform says of jobs and clock is read with care", () => {
  const jobs = [{ name: "strike", next_at: "2024-01-01T13:00:00+00:00", runs: 2, running: true }, null];
  const panel = control({ can: ["jobs"], jobs, offset_seconds: 60, slow_seconds: "x" });
  assert.deepEqual(panel.control, {
    can: ["jobs"],
    jobs: [
      { name: "strike", nextAt: "2024-01-01T13:00:00+00:00", runs: 2, running: true },
      { name: "", nextAt: "", runs: 0, running: false },
    ],
    offsetSeconds: 60,
    slowSeconds: 0,
  });
});

test("one thing is done at a time, and told of when it is done or has failed", () => {
  const busy = run(initialPanel(), { kind: "failed", text: "old" }, { kind: "begun" });
  assert.deepEqual([busy.busy, busy.news], [true, null]);
  assert.deepEqual(run(busy, { kind: "done", text: "Done." }).news, { text: "Done.", bad: false });
  const failed = run(busy, { kind: "failed", text: "There is no such job." });
  assert.deepEqual([failed.busy, failed.news.bad], [false, true]);
  assert.equal(run(failed, { kind: "news_seen" }).news, null);
});

test("the clock of jobs is told in hours and minutes", () => {
  assert.match(aheadOf(0), /real time/);
  assert.deepEqual(
    [60, 3600, 3660, 5].map((seconds) => aheadOf(seconds).match(/is (.*) ahead/)[1]),
    ["1 min", "1 h", "1 h 1 min", "5 s"],
  );
});

test("the service is described by its program, else by its band", () => {
  const service = { name: "demo", state: "running", restarts: 2, restartSeconds: 0.456 };
  assert.deepEqual(stateOf(service, null), {
    text: "demo is running. Restarted 2 times, the last time in 0.46 s.",
    kind: "online",
  });
  assert.equal(stateOf({ ...service, state: "crashed", restarts: 0 }, null).text, "demo has crashed.");
  assert.equal(stateOf(null, { serviceName: "demo", online: true }).text, "demo is connected.");
  assert.equal(stateOf(null, null).kind, "");
});

// ---- tapes ---------------------------------------------------------------------------------------

test("a difference says in which step, for whom, and where in the frame it is", () => {
  const result = {
    same: false,
    difference: {
      step: 2,
      did: ["Alice clicks key1", "Bob says 'hi'"],
      who: "Bob",
      band: "local-demo",
      expected: { a: 1 },
      got: null,
      text: "step 2: …\n  Bob was to see …\n  at body.content.text: \"a\" became \"b\"",
    },
  };
  const { outcome } = run(initialPanel(), { kind: "tape_outcome", name: "t", result });
  assert.deepEqual(differenceOf(outcome.difference), {
    where: "In step 2 (Alice clicks key1; Bob says 'hi') Bob in local-demo sees something else.",
    leaf: 'At body.content.text: "a" became "b"',
    parts: [
      ["On the tape", '{\n  "a": 1\n}'],
      ["Now", "nothing more"],
    ],
  });
  const first = { ...outcome.difference, step: 0, did: [], text: "" };
  assert.match(differenceOf(first).where, /^Before anybody did anything Bob/);
  assert.equal(differenceOf(first).leaf, "");
});

test("a recorded tape is told of with what it holds", () => {
  assert.equal(recordedOf({ ups: 1, downs: 2, left_out: 0 }), "1 done, 2 seen");
  assert.match(recordedOf({ ups: 1, downs: 2, left_out: 3 }), /3 left out/);
});

test("codes are shown with whom and what they are for", () => {
  const data = [{ email: "a@x.org", purpose: "sign up", code: "012345" }, null];
  assert.deepEqual(run(initialPanel(), { kind: "codes", data }).codes, [
    { email: "a@x.org", purpose: "sign up", code: "012345" },
    { email: "", purpose: "", code: "" },
  ]);
});

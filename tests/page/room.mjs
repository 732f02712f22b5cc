// A band as the page sees it, for tests of the modules that are no views: events and states to begin with.

import { effects } from "../../moobius_trio/local/page/effects.js";
import { initialState, reduce } from "../../moobius_trio/local/page/reduce.js";
import { currentRoom } from "../../moobius_trio/local/page/select.js";

export const BAND = "local-b1";
export const ALICE = "local-alice";
export const BOB = "local-bob";
export const MICKEY = "local-mickey";

export const run = (state, ...events) => events.reduce(reduce, state);
export const doings = (before, ...events) => {
  const found = [];
  for (const event of events) {
    const after = reduce(before, event);
    found.push(...effects(before, after));
    before = after;
  }
  return found;
};

export const band = (change = {}) => ({
  channel_id: BAND,
  name: "local-demo",
  service_id: "local-s",
  service_name: "demo",
  online: true,
  session: 1,
  ...change,
});
export const bands = (...list) => ({ kind: "bands", bands: list });
export const frame = (type, body) => ({ kind: "frame", frame: { type, body } });
export const update = (subtype, content) => frame("update", { subtype, channel_id: BAND, ...content });
export const entry = (userId, nickname) => ({
  user_id: userId,
  username: nickname.toLowerCase(),
  user_context: { nickname, description: "", avatar: "" },
});
export const userList = (...entries) => update("update_userlist", { userlist: entries });
export const down = (text, change = {}) =>
  frame("msg_down", {
    subtype: "text",
    channel_id: BAND,
    content: { text },
    recipients: [ALICE],
    sender: BOB,
    timestamp: 1700000000000,
    context: {},
    ...change,
  });
export const said = (text, change = {}) => ({
  kind: "said",
  message: {
    requestId: "r1",
    channelId: BAND,
    subtype: "text",
    content: { text, path: "" },
    recipients: [BOB],
    timestamp: 1700000000000,
    ...change,
  },
});
export const copy = (requestId, status, origin = "msg_up") =>
  frame("copy_client", {
    request_id: requestId,
    origin_type: origin,
    status,
    context: { msg: "not today" },
  });
export const opened = (change = {}) => ({
  kind: "opened",
  channelId: BAND,
  member: true,
  hasLeft: false,
  history: [],
  ...change,
});
export const signedIn = { kind: "signed_in", userId: ALICE, nickname: "Alice" };

export const linked = () =>
  run(initialState({ name: "alice", band: "local-demo" }), signedIn, bands(band()), {
    kind: "link_up",
  });
export const inside = () => run(linked(), opened());
export const listed = () =>
  run(inside(), userList(entry(ALICE, "Alice"), entry(BOB, "Bob"), entry(MICKEY, "Mickey 0")));

export const texts = (state) => currentRoom(state).messages.map(({ content }) => content.text);

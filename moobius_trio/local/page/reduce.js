// All the logic of the page, pure: `reduce(state, event)` gives the next state. (effects.js says what
// link.js must now do, select.js reads the state for the views, wire.js reads frames.)
// No clock, socket, storage or document may be used here: tests/page runs this without a browser.

import { mergedHistory } from "./history.js";
import { EMPTY_ROOM, NO_SENDER, currentRoom, roomOf } from "./select.js";
import { readBands, readFrame, readProfiles, readService } from "./wire.js";

const KEPT_MESSAGES = 500;

/** `name` and `band` are what the address says; either may be "". */
export function initialState({ name, band }) {
  return {
    name,
    wantedBand: band,
    me: null, // { userId, nickname } once the platform has said who we are
    link: name ? "connecting" : "idle", // idle: nobody has said who; connecting | up | lost
    linkReason: "",
    bands: [],
    bandId: "",
    service: null, // how the program's own service runs: wire.js readService
    builds: false, // whether the builder's panel is for this page: not for guests from outside
    rooms: new Map(), // channel id → room
    people: new Map(), // user id → character; null: asked for
    form: null, // { channelId, feature } while a key's dialog is open
    kinds: new Map(), // user id → "user" | "puppet"; null: asked for
    problem: "",
    told: "", // a short word about what was just done
    uploads: [], // files on their way: { id, name, size, sent }, oldest first
    opened: [], // names that this tab has opened in others
    counter: 0,
  };
}

// ---- parts of the state -------------------------------------------------------------------------

const isSomebody = (userId) => userId !== "" && userId !== NO_SENDER;

function withRoom(state, channelId, change) {
  const room = { ...roomOf(state, channelId), ...change };
  return { ...state, rooms: new Map(state.rooms).set(channelId, room) };
}

function withEachMessage(state, change) {
  const rooms = new Map();
  for (const [channelId, room] of state.rooms) {
    rooms.set(channelId, { ...room, messages: room.messages.map(change) });
  }
  return { ...state, rooms };
}

function withPeople(state, characters) {
  const people = new Map(state.people);
  for (const character of characters) {
    people.set(character.userId, character);
  }
  return { ...state, people };
}

/** Marks as asked for whoever is named by these messages and was never heard of. */
function withAskedPeople(state, messages) {
  const named = messages.flatMap((message) => [message.sender, ...message.recipients]);
  const unknown = named.filter((id) => isSomebody(id) && !state.people.has(id));
  if (unknown.length === 0) return state;
  const people = new Map(state.people);
  for (const id of unknown) {
    people.set(id, null);
  }
  return { ...state, people };
}

/** Marks as asked for whoever is on a list and may be a puppet. */
function withAskedKinds(state, characters) {
  const unknown = characters.filter(({ userId }) => userId && !state.kinds.has(userId));
  if (unknown.length === 0) return state;
  const kinds = new Map(state.kinds);
  for (const { userId } of unknown) {
    kinds.set(userId, null);
  }
  return { ...state, kinds };
}

/** Rooms of bands that were emptied meanwhile are as new; whoever was in them joins again. */
function roomsAfter(state, bands) {
  const rooms = new Map(state.rooms);
  for (const { channelId, reset } of bands) {
    const room = rooms.get(channelId);
    const known = state.bands.find((band) => band.channelId === channelId);
    if (!room || !known || reset <= known.reset) continue;
    const membership = room.membership === "member" ? "joining" : room.membership;
    rooms.set(channelId, { ...EMPTY_ROOM, membership });
  }
  return rooms;
}

function withMessages(state, channelId, messages) {
  const numbered = messages.map((message, index) => ({ id: state.counter + index, ...message }));
  const known = withAskedPeople({ ...state, counter: state.counter + messages.length }, messages);
  return withRoom(known, channelId, { messages: numbered.slice(-KEPT_MESSAGES) });
}

// ---- events ------------------------------------------------------------------------------------

const handlers = {
  named: (state, { name }) => ({ ...state, name, link: "connecting", problem: "" }),

  signed_in: (state, { userId, nickname }) => ({ ...state, me: { userId, nickname } }),

  refused: (state, { reason }) => ({ ...state, name: "", link: "idle", problem: reason }),

  link_up: (state) => ({ ...state, link: "up", linkReason: "" }),

  link_lost(state, { reason, tooLarge }) {
    const rooms = new Map();
    for (const [channelId, room] of state.rooms) {
      rooms.set(channelId, { ...room, membership: "unknown" });
    }
    const last = lastSending(state);
    return withEachMessage({ ...state, rooms, link: "lost", linkReason: reason }, (message) => {
      if (message.status !== "sending") return message;
      return tooLarge && message === last
        ? { ...message, status: "refused", reason: "too large for the platform" }
        : { ...message, status: "unconfirmed" };
    });
  },

  bands(before, { bands: raw, service, builds }) {
    const bands = readBands(raw);
    const rooms = roomsAfter(before, bands);
    const state = { ...before, rooms, service: readService(service), builds: builds === true };
    const known = bands.some((band) => band.channelId === state.bandId);
    if (known || bands.length === 0) return { ...state, bands };
    const wanted = state.wantedBand;
    const found = bands.find((band) => band.channelId === wanted || band.name === wanted);
    const problem =
      wanted && !found ? `There is no band “${wanted}”: this is “${bands[0].name}”.` : state.problem;
    return { ...state, bands, bandId: (found ?? bands[0]).channelId, problem };
  },

  band_chosen: (state, { channelId }) =>
    withRoom({ ...state, bandId: channelId, wantedBand: channelId, form: null }, channelId, {
      unread: 0,
    }),

  // The platform has said whether we are a member and what it kept; `hasLeft`: left in this tab.
  opened(state, { channelId, member, hasLeft, history }) {
    const room = roomOf(state, channelId);
    const membership = member ? "member" : hasLeft ? "left" : "joining";
    const opened = withRoom(state, channelId, { membership });
    return history === null
      ? opened
      : withMessages(opened, channelId, mergedHistory(history, room.messages));
  },

  join_pressed: (state) => withRoom(state, state.bandId, { membership: "joining" }),

  joined: (state, { channelId }) => withRoom(state, channelId, { membership: "member" }),

  left(state, { channelId }) {
    const { messages } = roomOf(state, channelId);
    const room = { ...EMPTY_ROOM, messages, membership: "left" };
    return withRoom({ ...state, form: null }, channelId, room);
  },

  frame(state, { frame: raw }) {
    const frame = readFrame(raw);
    if (frame.kind === "copy") return copied(state, frame);
    const channelId = frame.channelId ?? frame.message?.channelId;
    return channelId ? fromService(state, channelId, frame) : state;
  },

  // This user's own message went up; it is shown here whatever the service makes of it.
  said(state, { message }) {
    const own = { ...message, direction: "up", sender: state.me.userId, status: "sending" };
    const { messages } = roomOf(state, message.channelId);
    return withMessages(state, message.channelId, [...messages, own]);
  },

  profiles: (state, { data }) => withPeople(state, readProfiles(data)),

  all_picked: (state) => withRoom(state, state.bandId, { to: { kind: "all", ids: [] } }),

  service_picked: (state) => withRoom(state, state.bandId, { to: { kind: "service", ids: [] } }),

  character_picked(state, { userId }) {
    const { to } = currentRoom(state);
    const ids = to.kind !== "picked" ? [userId] : toggled(to.ids, userId);
    return withRoom(state, state.bandId, { to: { kind: "picked", ids } });
  },

  stage_toggled: (state) =>
    withRoom(state, state.bandId, { stageOpen: !currentRoom(state).stageOpen }),

  form_opened: (state, { feature }) => ({ ...state, form: { channelId: state.bandId, feature } }),

  form_closed: (state) => ({ ...state, form: null }),

  // Answer whoever spoke: who speaks for no character is the Service.
  reply_picked: (state, { userId }) =>
    withRoom(state, state.bandId, {
      to: isSomebody(userId) ? { kind: "picked", ids: [userId] } : { kind: "service", ids: [] },
    }),

  kinds(state, { userIds, puppets }) {
    const kinds = new Map(state.kinds);
    for (const id of userIds) {
      kinds.set(id, puppets.includes(id) ? "puppet" : "user");
    }
    return { ...state, kinds };
  },

  // Nobody could tell: they are asked about again when a list next names them.
  kinds_unknown(state, { userIds }) {
    const kinds = new Map(state.kinds);
    for (const id of userIds) {
      kinds.delete(id);
    }
    return { ...state, kinds };
  },

  renamed(state, { nickname }) {
    const { userId } = state.me;
    const me = { ...state.me, nickname };
    const known = state.people.get(userId);
    return withPeople({ ...state, me }, known ? [{ ...known, nickname }] : []);
  },

  upload_began: (state, { id, name, size }) => ({
    ...state,
    uploads: [...state.uploads, { id, name, size, sent: 0 }],
  }),

  upload_moved: (state, { id, sent }) => ({
    ...state,
    uploads: state.uploads.map((one) =>
      one.id === id ? { ...one, sent: Math.min(sent, one.size) } : one,
    ),
  }),

  upload_ended: (state, { id }) => ({
    ...state,
    uploads: state.uploads.filter((one) => one.id !== id),
  }),

  another_opened: (state, { name }) => ({ ...state, opened: [...state.opened, name] }),

  problem: (state, { text }) => ({ ...state, problem: text }),

  told: (state, { text }) => ({ ...state, told: text }),
};

/** The state after one event; an event is an object with the `kind` of one handler above. */
export const reduce = (state, event) => handlers[event.kind](state, event);

function fromService(state, channelId, frame) {
  const room = roomOf(state, channelId);
  if (frame.kind === "message") {
    const elsewhere = channelId !== state.bandId;
    const early = room.membership === "unknown"; // the history on its way may hold it as well
    const counted = withRoom(state, channelId, { unread: elsewhere ? room.unread + 1 : 0 });
    return withMessages(counted, channelId, [...room.messages, { ...frame.message, early }]);
  }
  if (room.membership === "left") return state;
  switch (frame.kind) {
    case "characters": {
      const known = withAskedKinds(withPeople(state, frame.characters), frame.characters);
      return withRoom(known, channelId, { characters: frame.characters });
    }
    case "features":
      return withRoom(state, channelId, { features: frame.features });
    case "stage":
      return withRoom(state, channelId, { stage: frame.stage });
    default: {
      const item = frame.items.findLast(({ widget }) => widget === "playground");
      const change = item ? { stageVisible: item.visible, stageOpen: item.expand } : {};
      return withRoom(state, channelId, change);
    }
  }
}

function copied(state, { requestId, origin, good, reason }) {
  let matched = false;
  const next = withEachMessage(state, (message) => {
    if (!requestId || message.requestId !== requestId) return message;
    matched = true;
    return { ...message, status: good ? "sent" : "refused", reason };
  });
  if (matched) return next;
  const problem = `The platform refused ${origin}: ${reason || "no reason given"}`;
  return good ? state : { ...state, problem };
}

function lastSending(state) {
  const all = [...state.rooms.values()].flatMap((room) => room.messages);
  return all.filter((message) => message.status === "sending").sort((a, b) => a.id - b.id).at(-1);
}

const toggled = (ids, id) => (ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id]);

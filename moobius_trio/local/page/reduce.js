// All the logic of the page, pure: `reduce(state, event)` gives the next state. (What happens in one
// band is in reduce_room.js. effects.js says what link.js must now do, select.js reads the state for
// the views, wire.js reads frames.)
// No clock, socket, storage or document may be used here: tests/page runs this without a browser.

import { roomHandlers } from "./reduce_room.js";
import { withEachMessage, withPeople, withRoom } from "./rooms.js";
import { EMPTY_ROOM } from "./select.js";
import { readBands, readService } from "./wire.js";

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
    form: null, // { channelId, asked, message } while the form of a key or menu item is open
    agents: null, // { channelId, rows, problem } while the list of a service's characters is open
    kinds: new Map(), // user id → "user" | "puppet"; null: asked for
    problem: "",
    told: "", // a short word about what was just done
    uploads: [], // files on their way: { id, name, size, sent }, oldest first
    opened: [], // names that this tab has opened in others
    counter: 0,
  };
}

/** Rooms of bands that were emptied meanwhile are as new; whoever was in them joins again. */
function roomsAfter(state, bands) {
  const rooms = new Map(state.rooms);
  for (const { channelId, reset } of bands) {
    const room = rooms.get(channelId);
    const known = state.bands.find((band) => band.channelId === channelId);
    if (!room || !known || reset <= known.reset) continue;
    const membership = room.membership === "member" ? "joining" : room.membership;
    rooms.set(channelId, { ...EMPTY_ROOM, groups: room.groups, membership });
  }
  return rooms;
}

// ---- events ------------------------------------------------------------------------------------

const handlers = {
  ...roomHandlers,

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

function lastSending(state) {
  const all = [...state.rooms.values()].flatMap((room) => room.messages);
  return all.filter((message) => message.status === "sending").sort((a, b) => a.id - b.id).at(-1);
}

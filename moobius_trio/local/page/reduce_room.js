// What happens in one band: what is said there, what its service puts on the screen, whom a person
// picks, which form is open. The handlers of these events for reduce.js; pure, like it.

import { mergedHistory, olderHistory } from "./history.js";
import {
  KEPT_MESSAGES,
  isSomebody,
  withAskedKinds,
  withEachMessage,
  withMessages,
  withPeople,
  withRoom,
} from "./rooms.js";
import { EMPTY_ROOM, currentRoom, roomOf, toggled } from "./select.js";
import { readAgents, readFrame, readGroups, readProfiles } from "./wire.js";

export const roomHandlers = {
  // The platform has said whether we are a member and what it kept; `hasLeft`: left in this tab.
  // `more`: whether it kept older messages as well.
  opened(state, { channelId, member, hasLeft, history, more = false }) {
    const room = roomOf(state, channelId);
    const membership = member ? "member" : hasLeft ? "left" : "joining";
    const opened = withRoom(state, channelId, { membership, older: more ? "there" : "none" });
    return withMessages(opened, channelId, mergedHistory(history, room.messages));
  },

  join_pressed: (state) => withRoom(state, state.bandId, { membership: "joining" }),

  joined: (state, { channelId }) => withRoom(state, channelId, { membership: "member" }),

  left(state, { channelId }) {
    const { messages, older, groups } = roomOf(state, channelId);
    const room = { ...EMPTY_ROOM, messages, older, groups, membership: "left" };
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

  older_asked: (state, { channelId }) => withRoom(state, channelId, { older: "coming" }),

  older_failed: (state, { channelId, reason }) => ({
    ...withRoom(state, channelId, { older: "there" }),
    problem: `The older messages could not be had: ${reason}`,
  }),

  older_came(state, { channelId, history, more }) {
    const { messages } = roomOf(state, channelId);
    const room = KEPT_MESSAGES - messages.length;
    const older = room > 0 ? olderHistory(history, messages).slice(-room) : [];
    const isEnd = !more || messages.length + older.length >= KEPT_MESSAGES;
    const asked = withRoom(state, channelId, { older: isEnd ? "none" : "there" });
    return withMessages(asked, channelId, [...older, ...messages]);
  },

  profiles: (state, { data }) => withPeople(state, readProfiles(data)),

  all_picked: (state) => withRoom(state, state.bandId, { to: { kind: "all", ids: [] } }),

  service_picked: (state) => withRoom(state, state.bandId, { to: { kind: "service", ids: [] } }),

  character_picked(state, { userId }) {
    const { to } = currentRoom(state);
    const ids = to.kind !== "picked" ? [userId] : toggled(to.ids, userId);
    return withRoom(state, state.bandId, { to: { kind: "picked", ids } });
  },

  // Answer whoever spoke: who speaks for no character is the Service.
  reply_picked: (state, { userId }) =>
    withRoom(state, state.bandId, {
      to: isSomebody(userId) ? { kind: "picked", ids: [userId] } : { kind: "service", ids: [] },
    }),

  groups: (state, { channelId, data }) => withRoom(state, channelId, { groups: readGroups(data) }),

  group_picked(state, { groupId }) {
    const group = currentRoom(state).groups.find((one) => one.groupId === groupId);
    if (!group) return state;
    return withRoom(state, state.bandId, { to: { kind: "group", ids: group.members, groupId } });
  },

  stage_toggled: (state) =>
    withRoom(state, state.bandId, { stageOpen: !currentRoom(state).stageOpen }),

  // `asked`: the key or the menu item; `message`: whose menu it was, null for a key.
  form_opened: (state, { asked, message = null }) => ({
    ...state,
    form: { channelId: state.bandId, asked, message },
  }),

  form_closed: (state) => ({ ...state, form: null }),

  agents_asked: (state, { channelId }) => ({
    ...state,
    agents: { channelId, rows: null, problem: "" },
  }),

  agents_came: (state, { channelId, data }) => withAgents(state, channelId, { rows: readAgents(data) }),

  agents_failed: (state, { channelId, reason }) => withAgents(state, channelId, { problem: reason }),

  agents_closed: (state) => ({ ...state, agents: null }),
};

/** What comes for a list that nobody looks at any more changes nothing. */
function withAgents(state, channelId, change) {
  if (state.agents?.channelId !== channelId) return state;
  return { ...state, agents: { ...state.agents, ...change } };
}

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
    case "menu":
      return withRoom(state, channelId, { menu: frame.menu });
    default:
      return withRoom(state, channelId, styled(room, frame.items));
  }
}

/** Each part of the screen looks as the last word about it says; parts without a word stay. */
function styled(room, items) {
  let { keyStyles } = room;
  const change = {};
  for (const item of items) {
    if (item.widget === "playground") {
      change.stageVisible = item.visible;
      change.stageOpen = item.expand;
      change.stageMark = { highlight: item.highlight, text: item.text };
    } else if (item.widget === "feature") {
      const others = keyStyles.filter(({ featureId }) => featureId !== item.featureId);
      keyStyles = item.featureId ? [...others, item] : [item];
    }
  }
  return { ...change, keyStyles };
}

function copied(state, { requestId, origin, good, reason, messageId }) {
  let matched = false;
  const next = withEachMessage(state, (message) => {
    if (!requestId || message.requestId !== requestId) return message;
    matched = true;
    return { ...message, status: good ? "sent" : "refused", reason, messageId };
  });
  if (matched) return next;
  const problem = `The platform refused ${origin}: ${reason || "no reason given"}`;
  return good ? state : { ...state, problem };
}

// Parts of the state changed as a whole: a room, its messages, who is known. Each gives the next state,
// and what has not changed stays the same object, so that the screen is not drawn anew for it. Pure.

import { NO_SENDER, roomOf } from "./select.js";

export const KEPT_MESSAGES = 2_000; // of a band, the older pages of its history included

export const isSomebody = (userId) => userId !== "" && userId !== NO_SENDER;

export function withRoom(state, channelId, change) {
  const room = { ...roomOf(state, channelId), ...change };
  return { ...state, rooms: new Map(state.rooms).set(channelId, room) };
}

/** `change(message)` gives the message itself where nothing of it changes. */
export function withEachMessage(state, change) {
  const rooms = new Map();
  for (const [channelId, room] of state.rooms) {
    const messages = room.messages.map(change);
    const isSame = messages.every((message, index) => message === room.messages[index]);
    rooms.set(channelId, isSame ? room : { ...room, messages });
  }
  return { ...state, rooms };
}

const isSameObject = (one, other) =>
  Boolean(one) && Object.keys(other).every((key) => one[key] === other[key]);

export function withPeople(state, characters) {
  const fresh = characters.filter((one) => !isSameObject(state.people.get(one.userId), one));
  if (fresh.length === 0) return state;
  const people = new Map(state.people);
  for (const character of fresh) {
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
export function withAskedKinds(state, characters) {
  const unknown = characters.filter(({ userId }) => userId && !state.kinds.has(userId));
  if (unknown.length === 0) return state;
  const kinds = new Map(state.kinds);
  for (const { userId } of unknown) {
    kinds.set(userId, null);
  }
  return { ...state, kinds };
}

/** The messages of a room become these; those without an `id` of the page's get one. */
export function withMessages(state, channelId, messages) {
  const numbered = messages.map((message, index) =>
    message.id === undefined ? { ...message, id: state.counter + index } : message,
  );
  const known = withAskedPeople({ ...state, counter: state.counter + messages.length }, messages);
  const dropped = numbered.length > KEPT_MESSAGES ? { older: "there" } : {};
  return withRoom(known, channelId, { messages: numbered.slice(-KEPT_MESSAGES), ...dropped });
}

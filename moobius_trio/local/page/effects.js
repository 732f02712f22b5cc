// What link.js must do because one state became another. Pure, like reduce.js.

import { bandOf, currentRoom, roomOf } from "./select.js";

const toOpen = (state) =>
  state.link === "up" && state.bandId && currentRoom(state).membership === "unknown"
    ? state.bandId
    : "";

function serviceRun(state, channelId) {
  const band = bandOf(state, channelId);
  return band && band.online ? `${band.serviceId} ${band.session}` : "";
}

/** Ids that a map has marked as asked for (null) and the map before it had not. */
const newlyAsked = (before, after) =>
  [...after].filter(([id, known]) => known === null && !before.has(id)).map(([id]) => id);

/**
 * What must be done because `before` became `after`: open (ask the platform about the band), join,
 * fetch (a band has opened, or its service has connected), profiles (of people not heard of yet),
 * kinds (which characters not seen yet are puppets).
 */
export function effects(before, after) {
  const found = [];
  const opening = toOpen(after);
  if (opening && opening !== toOpen(before)) found.push({ kind: "open", channelId: opening });
  for (const [channelId, { membership }] of after.rooms) {
    const was = roomOf(before, channelId).membership;
    const run = serviceRun(after, channelId);
    const fresh = run !== "" && run !== serviceRun(before, channelId);
    if (membership === "joining" && was !== "joining") found.push({ kind: "join", channelId });
    if (membership === "member" && (was !== "member" || fresh)) {
      found.push({ kind: "fetch", channelId });
    }
  }
  const people = newlyAsked(before.people, after.people);
  if (people.length > 0) found.push({ kind: "profiles", userIds: people });
  const kinds = newlyAsked(before.kinds, after.kinds);
  if (kinds.length > 0) found.push({ kind: "kinds", userIds: kinds });
  return found;
}

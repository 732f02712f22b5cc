// What the views and the reducer read out of the state: pure, like reduce.js. Nothing here changes a
// state, and nothing here knows wire words.

export const NO_SENDER = "no_sender";
const GUESTS = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];

/** A band as this user sees it, before anything of it is known. */
export const EMPTY_ROOM = {
  membership: "unknown", // unknown: ask the platform | joining | member | left
  characters: null, // null until a list has come
  features: [],
  keyStyles: [], // { featureId ("": all keys), visible, highlight, text }: the last word about each
  menu: [], // what the service has added to the menus of messages
  stage: [], // its items: { path, text } each
  stageVisible: true,
  stageOpen: true,
  stageMark: { highlight: false, text: "" },
  messages: [],
  older: "none", // messages that the platform kept before these: there | coming | none
  groups: [], // named recipients: { groupId, name, members }
  to: { kind: "all", ids: [] }, // kind: all | service | picked | group (with its groupId)
  unread: 0,
};

export const roomOf = (state, channelId) => state.rooms.get(channelId) ?? EMPTY_ROOM;
export const currentRoom = (state) => roomOf(state, state.bandId);
export const bandOf = (state, channelId) =>
  state.bands.find((band) => band.channelId === channelId) ?? null;
export const currentBand = (state) => bandOf(state, state.bandId);

/** The bands under the words for their service, in the order of their first one. */
export function bandsByService({ bands }) {
  const groups = new Map();
  for (const band of bands) {
    const label = band.serviceName ? `service ${band.serviceName}` : "no service yet";
    groups.set(label, [...(groups.get(label) ?? []), band]);
  }
  return [...groups].map(([label, group]) => ({ label, bands: group }));
}

/** Bands that something was said in while another one is looked at: { channelId, name, unread }. */
export const unreadElsewhere = (state) =>
  state.bands
    .map(({ channelId, name }) => ({ channelId, name, unread: roomOf(state, channelId).unread }))
    .filter(({ channelId, unread }) => unread > 0 && channelId !== state.bandId);

/**
 * Whom the next message goes to: `ids` for the wire (null: it cannot be sent), `label` for the
 * screen, `reason` when it cannot.
 */
export function recipients(state) {
  const { characters, to } = currentRoom(state);
  if (to.kind === "service") return { ids: [], label: "to the Service", reason: "" };
  if (characters === null) return { ids: null, label: "", reason: noListReason(state) };
  const all = characters.map(({ userId }) => userId);
  const ids = to.kind === "all" ? all : listedOf(to, all);
  if (ids.length > 0) return { ids, label: `to ${ids.length}`, reason: "" };
  // An empty list on the wire would mean the Service, which nobody has picked.
  return { ids: null, label: "to nobody", reason: EMPTY_REASONS[to.kind] };
}

const EMPTY_REASONS = {
  all: "Your list is empty.",
  picked: "Pick who it goes to.",
  group: "Nobody of this group is on your list.",
};

/** A group keeps its own order, since services may read it; single picks go in the list's. */
const listedOf = ({ kind, ids }, all) =>
  kind === "group" ? ids.filter((id) => all.includes(id)) : all.filter((id) => ids.includes(id));

/** These ids with that one, or without it if it is among them. */
export const toggled = (ids, id) => (ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id]);

/** The names of these people, `most` of them at most. */
export function namesOf(state, ids, most) {
  const names = ids.slice(0, most).map((id) => nameOf(state, id));
  return names.join(", ") + (ids.length > most ? `, and ${ids.length - most} more` : "");
}

/** Why All and the characters cannot be picked; "" when they can. */
export function noListReason(state) {
  if (currentRoom(state).characters !== null) return "";
  const band = currentBand(state);
  if (band?.online) return "No character list has come yet: only the Service can be written to.";
  return band?.serviceName
    ? "The service is offline: its character list has not come yet."
    : "No service is bound to this band: there is no character list.";
}

/** Why nothing can be sent now, keys included; "" when it can. */
export function closedReason(state) {
  if (state.link !== "up") return "Not connected.";
  return currentRoom(state).membership === "member" ? "" : "You are not in this band.";
}

/** Why a message from this sender cannot be answered to them alone; "" when it can. */
export function noReplyReason(state, userId) {
  if (closedReason(state)) return closedReason(state);
  if (!userId || userId === NO_SENDER) return "";
  const listed = (currentRoom(state).characters ?? []).some((one) => one.userId === userId);
  return listed ? "" : `${nameOf(state, userId)} is not on your list.`;
}

/** A form opens for keys that ask for it, and for all that take arguments or have a dialog. */
export const needsForm = ({ newWindow, arguments: fields, dialog }) =>
  newWindow === true || fields.length > 0 || dialog !== null;

/** How a key looks: its own style, else that of all keys. */
export const keyStyle = ({ keyStyles }, { featureId }) =>
  keyStyles.find((style) => style.featureId === featureId) ??
  keyStyles.find((style) => style.featureId === "") ?? { visible: true, highlight: false, text: "" };

/** What the service has added to the menu of a message of this kind. */
export const menuFor = ({ menu }, { subtype }) =>
  menu.filter(({ subtypes }) => subtypes.length === 0 || subtypes.includes(subtype));

export function nameOf(state, userId) {
  if (!userId || userId === NO_SENDER) return "Service";
  if (state.me?.userId === userId && !state.people.get(userId)) return state.me.nickname;
  return state.people.get(userId)?.nickname ?? userId;
}

/** The next guest that this tab has not opened yet. */
export function nextGuest(state) {
  const start = GUESTS.indexOf(state.name.toLowerCase()) + 1;
  const round = [...GUESTS.slice(start), ...GUESTS.slice(0, start)];
  const taken = [state.name.toLowerCase(), ...state.opened];
  return round.find((name) => !taken.includes(name)) ?? `guest-${state.opened.length + 1}`;
}

export function addressOf(name, bandName) {
  const query = new URLSearchParams({ as: name });
  if (bandName) query.set("band", bandName);
  return `/?${query}`;
}

const isLoopback = (host) =>
  host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);

/**
 * How an address out of a message may be shown: `own` is a path of this platform's bucket, to be
 * loaded from the page's own origin; `link` an http(s) address to offer as a link, never loaded;
 * both "" for anything else.
 */
export function addressKind(address, origin) {
  const base = address.startsWith("/bucket/") ? origin : undefined;
  if (!URL.canParse(address, base)) return { own: "", link: "" };
  const url = new URL(address, base);
  if (!/^https?:$/.test(url.protocol)) return { own: "", link: "" };
  const here = isLoopback(url.hostname) || url.origin === origin;
  if (here && url.pathname.startsWith("/bucket/")) return { own: url.pathname, link: "" };
  return { own: "", link: url.href };
}

/** Words of the platform's, such as the reason of a close, as a sentence of their own. */
export function sentence(words) {
  const text = words.trim();
  if (text === "") return "";
  return text[0].toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
}

// What the views of the builder's panel read out of its state: pure, like inspect_reduce.js. Nothing
// here changes a state, and nothing here knows wire words but those of a frame to be edited.

/** The number of the newest of these frames; 0 for none. */
export const newest = (frames) => frames.at(-1)?.n ?? 0;

// ---- frames ------------------------------------------------------------------------------------

const capital = (words) => words && words[0].toUpperCase() + words.slice(1);

const PARTIES = { service: "Service", platform: "Platform" };

/** What one is called in the record of a frame. */
export const nameIn = (record, id) => PARTIES[id] ?? record.names[id] ?? id;

/** What a frame is, in a word or two: its subtype, or the key of a call, after its type. */
export function titleOf({ type, subtype }) {
  if (!subtype) return type || "no frame";
  return subtype.startsWith(`${type}_`) ? subtype : `${type} ${subtype}`;
}

/** The recipients in a few words. */
export function recipientsOf(record, most = 3) {
  const names = record.to.map((id) => nameIn(record, id));
  if (names.length === 0) return "nobody";
  if (names.length <= most) return names.join(", ");
  return `${names.slice(0, most - 1).join(", ")} and ${names.length - most + 1} more`;
}

/** The milliseconds as people read them; "" while they are not known. */
export function durationOf({ milliseconds }) {
  if (milliseconds === null) return "";
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  return milliseconds < 1000 ? `${milliseconds.toFixed(0)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** How many records were saved, in words; "" for none. */
export function recordsOf({ records }) {
  return records ? `${records} ${records === 1 ? "record" : "records"} saved` : "";
}

/** What went wrong with a frame, why nobody got it included; "" when nothing did. */
export const troubleOf = ({ error, refused }) => error || capital(refused);

function haystack(record) {
  const who = [record.from, ...record.to].flatMap((id) => [id, nameIn(record, id)]);
  const { direction, type, subtype, band, handler, error, refused, frame } = record;
  const words = [direction, type, subtype, titleOf(record), band, handler, error, refused, frame];
  return [...words, ...who].join("\n").toLowerCase();
}

/** Whether a record holds all of these words, in lower case, anywhere. */
function hasAll(record, words) {
  if (words.length === 0) return true;
  const text = haystack(record);
  return words.every((word) => text.includes(word));
}

const isOf = (record, userId) => record.from === userId || record.to.includes(userId);

/** The frames in question before the filter: of this user and what theirs caused, or of all. */
function inScope(frames, { everyone, linkFrames }, userId) {
  const shown = linkFrames ? frames : frames.filter(({ isLink }) => !isLink);
  if (everyone) return shown;
  const own = new Set(shown.filter(({ from }) => from === userId).map(({ n }) => n));
  return shown.filter((record) => isOf(record, userId) || own.has(record.cause));
}

/**
 * What the list shows, top to bottom: each cause, then what it caused, as { record, level (1 | 2),
 * effects (how many are under it) }. A filter that an effect passes keeps its cause.
 */
export function rowsOf(panel, userId) {
  const frames = inScope(panel.frozen ?? panel.frames, panel, userId);
  const words = panel.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const causes = new Set(frames.map(({ n }) => n));
  const effectsOf = new Map([...causes].map((n) => [n, []]));
  for (const record of frames) effectsOf.get(record.cause)?.push(record);
  const rows = [];
  for (const record of frames) {
    if (causes.has(record.cause)) continue;
    const all = effectsOf.get(record.n);
    const hit = hasAll(record, words);
    const effects = hit ? all : all.filter((effect) => hasAll(effect, words));
    if (!hit && effects.length === 0) continue;
    rows.push({ record, level: 1, effects: effects.length });
    for (const effect of effects) rows.push({ record: effect, level: 2, effects: 0 });
  }
  return rows;
}

/** The rows in groups, each cause with what it caused and what had been before it. */
export function groupsOf(panel, rows) {
  const frames = panel.frozen ?? panel.frames;
  const groups = [];
  for (const { record, level } of rows) {
    if (level === 2) groups.at(-1).effects.push(record);
    else groups.push({ record, effects: [], before: frames.filter(({ n }) => n < record.n) });
  }
  return groups;
}

/** How many frames in question have come since the pause. */
function waitingCount(panel, userId) {
  if (!panel.frozen) return 0;
  const last = newest(panel.frozen);
  return inScope(panel.frames, panel, userId).filter(({ n }) => n > last).length;
}

/** How the list stands, in a few words; "" when it shows everything as it comes. */
export function standing(panel, userId) {
  const missed = panel.missed ? `${panel.missed} too fast to be told` : "";
  const paused = panel.frozen ? `Paused, ${waitingCount(panel, userId)} new` : "";
  return [paused, missed].filter(Boolean).join("; ");
}

/** The frame that is shown whole, and what it caused; null when none is. */
export function openedOf(panel) {
  const frames = panel.frozen ?? panel.frames;
  const record = frames.find(({ n }) => n === panel.opened);
  if (!record) return null;
  const effects = frames.filter(({ cause }) => cause === record.n);
  const cause = frames.find(({ n }) => n === record.cause) ?? null;
  return { record, effects, cause, before: frames.filter(({ n }) => n < record.n) };
}

/** A frame's text with one value a line; as it is when it is no JSON. */
export function pretty(frame) {
  try {
    return JSON.stringify(JSON.parse(frame), null, 2);
  } catch {
    return frame;
  }
}

// ---- the raw box -------------------------------------------------------------------------------

const USER_TYPES = new Set(["msg_up", "action", "feature_call"]);

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** A frame to begin with: a message of this user to the Service. */
export function frameToWrite(userId, channelId, timestamp) {
  const content = { text: "hello" };
  const body = { subtype: "text", channel_id: channelId, content, recipients: [], timestamp };
  const frame = { type: "msg_up", request_id: "", client_id: userId, body };
  return JSON.stringify({ ...frame, body: { ...body, context: {} } }, null, 2);
}

/** The frame of a record, to be edited and sent by this user; others than users' stay as they are. */
export function frameToEdit(record, userId) {
  const frame = parsed(record.plain);
  if (!frame || !USER_TYPES.has(frame.type)) return pretty(record.frame);
  const { type, body } = frame;
  return JSON.stringify({ type, request_id: "", client_id: userId, body }, null, 2);
}

/**
 * What goes up for the text in the raw box, and the id by which the platform's receipt will name
 * it. With `freshId` a frame with a request_id gets that one, as the platform drops a repeated one.
 */
export function frameToSend(text, freshId) {
  const frame = parsed(text);
  if (frame && freshId && "request_id" in frame)
    return { text: JSON.stringify({ ...frame, request_id: freshId }), requestId: freshId };
  const requestId = typeof frame?.request_id === "string" ? frame.request_id : "";
  return { text, requestId };
}

// ---- the tools ---------------------------------------------------------------------------------

const OF_A_PROGRAM = new Set(["restart", "jobs", "advance"]);

/** Why the platform cannot do this (a word of its own list of what it can); "" when it can. */
export function whyNot(panel, word) {
  if (panel.control === null) return "The platform has not said yet what it can do.";
  if (panel.control.can.includes(word)) return "";
  return OF_A_PROGRAM.has(word)
    ? "The service was started by another program. Start it with “moobius-trio dev” to have this."
    : "This platform cannot do that.";
}

/** How far the clock of jobs is put forward, for people. */
export function aheadOf(seconds) {
  if (seconds === 0) return "The jobs' clock shows the real time.";
  const minutes = Math.round(seconds / 60);
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  const parts = [hours && `${hours} h`, rest && `${rest} min`].filter(Boolean);
  return `The jobs' clock is ${parts.join(" ") || `${seconds} s`} ahead.`;
}

const STATE_WORDS = {
  starting: "is starting",
  running: "is running",
  restarting: "is being restarted",
  crashed: "has crashed",
  stopped: "has stopped",
};

/** How the service does, in a line, and the kind of its dot ("" or as a band's). */
export function stateOf(service, band) {
  if (!service) {
    if (!band?.serviceName) return { text: "No service is bound to this band.", kind: "" };
    const word = band.online ? "is connected" : "is not connected";
    return { text: `${band.serviceName} ${word}.`, kind: band.online ? "online" : "" };
  }
  const { name, state, restarts, restartSeconds } = service;
  const last = restartSeconds ? `, the last time in ${restartSeconds.toFixed(2)} s` : "";
  const times = restarts ? ` Restarted ${restarts} ${restarts === 1 ? "time" : "times"}${last}.` : "";
  const text = `${name || "The service"} ${STATE_WORDS[state] ?? state}.${times}`;
  return { text, kind: state === "running" ? "online" : state };
}

const shown = (frame) => (frame === null ? "nothing more" : JSON.stringify(frame, null, 2));

/** The first difference between a tape and the service: where it is, what differs, both frames. */
export function differenceOf({ step, did, who, band, expected, got, text }) {
  const after = step ? `In step ${step} (${did.join("; ")})` : "Before anybody did anything";
  const leaf = text.split("\n").find((line) => line.trimStart().startsWith("at "))?.trim() ?? "";
  return {
    where: `${after} ${who} in ${band} sees something else.`,
    leaf: capital(leaf),
    parts: [
      ["On the tape", shown(expected)],
      ["Now", shown(got)],
    ],
  };
}

/** What a tape that was just recorded holds, in words. */
export function recordedOf({ ups, downs, left_out: leftOut }) {
  const words = `${ups} done, ${downs} seen`;
  return leftOut ? `${words}, ${leftOut} left out as too many` : words;
}
